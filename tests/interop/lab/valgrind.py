"""parleyd under valgrind, where PARLEY_VALGRIND=1 says so: how it is started, how
much longer everything takes, and what was found. It needs a build without
sanitizers (PARLEY_BUILD=build-plain)."""

import glob
import os
import re
import shutil

ON = os.environ.get("PARLEY_VALGRIND", "") not in ("", "0")
FACTOR = 5 if ON else 1     # that time limits are stretched by
STATUS = 9                  # of parleyd, where something was found
INHERITED = "<inherited from parent>"


def impossible(parleyd):
    """What stands in the way of it, or None."""
    if not ON:
        return None
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    with open(parleyd, "rb") as file:
        if b"__asan_init" in file.read():
            return "%s has sanitizers: PARLEY_BUILD must name a build without" % parleyd
    return None


def command(log):
    """What stands before parleyd; log: what the report's file begins with."""
    return ["valgrind", "--quiet", "--leak-check=full", "--num-callers=30",
            "--show-leak-kinds=definite,indirect", "--errors-for-leak-kinds=definite,indirect",
            "--track-fds=yes", "--error-exitcode=%d" % STATUS, "--log-file=%s.%%p" % log]


def findings(log):
    """What valgrind wrote, line by line: errors, leaks, descriptors left open."""
    found = []
    for path in sorted(glob.glob(glob.escape(log) + ".*")):
        with open(path, encoding="utf-8", errors="replace") as file:
            found += _read(file.read().splitlines())
    return found


def _read(lines):
    """All but what is said of descriptors that parleyd was born with. A list of
    descriptors and an error are told as one block each, up to an empty line."""
    found, block = [], []
    for line in [*lines, ""]:
        text = re.sub(r"^[=*-]{2}\d+[=*-]{2} ?", "", line)
        if text.strip():
            block.append(text)
            continue
        if block and not _harmless(block):
            found += block
        block = []
    return found


def _harmless(block):
    if block[0].startswith("FILE DESCRIPTORS:"):
        return True
    return block[0].startswith("Open ") and any(INHERITED in line for line in block)
