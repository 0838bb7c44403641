#!/usr/bin/env python3
"""peers.py prosody|ejabberd|jabberd2: the grid as a test, a case a line."""

import importlib
import sys

from lab import start
from lab.grid import Grid
from lab.laboratory import Laboratory
from lab.tap import Tap


def main():
    peer = importlib.import_module("lab." + sys.argv[1])
    tap = Tap()
    missing = peer.available()
    if missing:
        return tap.skip_all("%s is not installed" % missing)
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        grid = Grid(lab, peer, quick="--quick" in sys.argv)
        grid.start()

        def done(case):
            faults = case.all_faults()
            sides = "/".join(side.method for side in case.sides.values())
            tap.case(not faults, "%s %s, row %d (%s): %s" % (
                peer.NAME, case.name, case.number, case.policy, sides), *faults)

        grid.run(done)
        findings = grid.findings()
        tap.case(not findings, "parleyd ends with status 0 and no finding", *findings)
    return tap.done()


sys.exit(main())
