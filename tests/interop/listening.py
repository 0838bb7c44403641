#!/usr/bin/env python3
"""parley listen and its oddities against Prosody: what a widely used server does
with each, when it dials us and when we answer its ping over a stream of ours.

    listening.py [WORD...]    only the cases whose name holds one of the words
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from lab import prosody, start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner, program
from lab.policy import ROWS, SASL, TCP_DIALBACK, TLS_DIALBACK
from lab.tap import Tap

PEER, THEIRS = "prosody.example", "127.0.0.2"
EITHER = None           # the ping may be answered or not

# name, oddities, our row, the methods that Prosody's stream to us may end in, our
# exit statuses, is its ping answered? With expat 2.6 (or 2.5 as Debian mends it)
# Prosody may wait for ever for the end of a tag that came in pieces.
CASES = [
    ("usual", "", 7, {SASL}, {0}, True),
    ("no-version", "no-version", 17, {TCP_DIALBACK}, {0}, True),
    ("empty-mechanisms", "empty-mechanisms", 7, {TLS_DIALBACK}, {0}, True),
    ("late-refusal", "late-refusal", 7, {"none"}, {5}, False),
    ("no-verify", "no-verify", 13, {"none"}, {8, 9, 10}, False),
    ("split-writes", "split-writes", 7, {SASL, "none"}, {0, 8, 9}, EITHER),
    ("prefixes", "prefixes", 7, {SASL}, {0}, True),
    ("prefixes-dialback", "prefixes", 13, {TLS_DIALBACK}, {0}, True),
    ("slow-features", "slow-features", 7, {SASL}, {0}, True),
    ("whitespace", "whitespace", 7, {SASL}, {0}, True),
    ("old-error", "old-error", 13, {TLS_DIALBACK}, {0}, True),
    ("extra-features", "extra-features", 7, {SASL}, {0}, True),
    ("required-feature", "required-feature", 7, {SASL}, {0}, True),
    ("upper-case", "upper-case", 7, {SASL}, {0}, True),
]


class Listening:
    """One parley listen, with a configuration as parleyd has it."""

    def __init__(self, lab, domain, address, odd, row):
        conf = Parleyd(lab, domain, {domain: "valid"}, [partner("*", ROWS[row])],
                       address=address, direct=None, start=False)
        self.out = os.path.join(conf.folder, "out.jsonl")
        command = [program("parley"), "listen", "-c", conf.file, "--format", "jsonl",
                   "--timeout", "30", *(["--odd", odd] if odd else [])]
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
        self.said = self.process.stderr.readline()

    def end(self):
        """(exit status, outcome of each trace, what it wrote on stderr)."""
        try:
            _, said = self.process.communicate(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, said = self.process.communicate()
        with open(self.out, encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        ends = [record["detail"] for record in records if record["event"] == "trace.end"]
        return self.process.returncode, ends, self.said + said


def address(case):
    return "127.0.1.%d" % (CASES.index(case) + 1)


def run(lab, server, case):
    name, odd, row, methods, statuses, answered = case
    listening = Listening(lab, name + ".example", address(case), odd, row)
    if "listening on" not in listening.said:
        return [listening.end()[2]]
    pinged, said = server.ping(PEER, name + ".example", 20)
    status, ends, err = listening.end()
    faults = []
    if answered is not EITHER and pinged != answered:
        faults.append("its ping was%s answered: %s" % ("" if pinged else " not", said))
    if status not in statuses:
        faults.append("status %s, wanted one of %s" % (status, sorted(statuses)))
    if not methods & {end["method"] for end in ends}:
        faults.append("wanted one of %s" % sorted(methods))
    return faults + ([err, str(ends)] if faults else [])


def main():
    tap = Tap()
    missing = prosody.available()
    if missing:
        return tap.skip_all("%s is not installed" % missing)
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    words = sys.argv[1:]
    cases = [case for case in CASES if not words or any(word in case[0] for word in words)]
    with Laboratory() as lab:
        lab.names.server(PEER, THEIRS)
        for case in cases:
            lab.names.server(case[0] + ".example", address(case))
        lab.certificates.make((PEER, "valid"), *((case[0] + ".example", "valid") for case in cases))
        lab.names.start(lab)
        server = prosody.Prosody(lab, "all", THEIRS, prosody.POLICIES["all"], {PEER: "valid"},
                                 timeout=14)

        def tell(case):
            faults = run(lab, server, case)
            tap.case(not faults, "Prosody dials %s, row %d" % (case[0], case[2]), *faults)
            if faults:
                log = server.process.text(server.log)
                tap.note("\n".join(line for line in log.splitlines()
                                   if case[0] + ".example" in line)[-1500:])

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(tell, cases))
    return tap.done()


sys.exit(main())
