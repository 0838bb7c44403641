#!/usr/bin/env python3
"""summary.py TESTLOG.json [FILE.tap...]: one line for everything that was run.

Counts the cases inside tests that speak TAP, and one for each other test. A test
that broke off without a case that failed counts as one failure.
"""

import json
import re
import sys

CASE = re.compile(r"^(not )?ok\b(.*)$")


def count(text):
    """(passed, failed, skipped) of TAP."""
    passed = failed = skipped = 0
    for line in text.splitlines():
        found = CASE.match(line.strip())
        if found:
            if re.search(r"#\s*skip", found.group(2), re.I):
                skipped += 1
            elif found.group(1):
                failed += 1
            else:
                passed += 1
        elif re.match(r"1\.\.0\b", line):
            skipped += 1
    return passed, failed, skipped


def meson(path):
    """Results and names of what failed, from meson's log of JSON lines."""
    total, names = [0, 0, 0], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            test = json.loads(line)
            counted = list(count(test.get("stdout") or ""))
            result = test["result"]
            if not any(counted):
                counted = [result in ("OK", "EXPECTEDFAIL"), 0, result == "SKIP"]
            if result not in ("OK", "EXPECTEDFAIL", "SKIP"):
                counted[1] = max(1, counted[1])
                names.append("%s: %s" % (test["name"], result))
            total = [sum(pair) for pair in zip(total, counted)]
    return total, names


def tap(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    counted = list(count(text))
    status = re.search(r"^status (\d+)$", text, re.M)
    if status and status.group(1) != "0":
        counted[1] = max(1, counted[1])
    return counted, ["%s: status %s" % (path, status.group(1))] if status and \
        status.group(1) != "0" else []


def main():
    total, names = [0, 0, 0], []
    for path in sys.argv[1:]:
        try:
            counted, failed = tap(path) if path.endswith(".tap") else meson(path)
        except (OSError, ValueError) as fault:
            counted, failed = [0, 1, 0], ["%s: %s" % (path, fault)]
        total = [sum(pair) for pair in zip(total, counted)]
        names += failed
    for name in names:
        print(name)
    print("%d passed, %d failed, %d skipped" % tuple(total))
    return 1 if total[1] or not total[0] else 0


sys.exit(main())
