#!/usr/bin/env python3
"""parleyd under valgrind for a short while: all three methods in and out, a
failure, a reload, the end."""

import shutil
import sys

from lab import start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.policy import ROWS
from lab.process import wait_until
from lab.tap import Tap

VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect",
            "--errors-for-leak-kinds=definite,indirect", "--track-fds=no", "--error-exitcode=9"]
ROWS_TRIED = {2: "sasl-over-tls", 13: "tls-dialback", 17: "tcp-dialback"}


def main():
    tap = Tap()
    if not shutil.which("valgrind"):
        return tap.skip_all("valgrind is not installed")
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        lab.names.server("alpha.example", "127.0.0.1")
        lab.names.address("nowhere.example", "127.0.60.9")
        for row in ROWS_TRIED:
            lab.names.server("r%d.example" % row, "127.0.60.1")
        lab.names.start(lab)
        theirs = Parleyd(lab, "theirs", {"r%d.example" % row: "valid" for row in ROWS_TRIED},
                         [partner("*", ROWS[9])], address="127.0.60.1", direct=None,
                         wrapper=VALGRIND)
        ours = Parleyd(lab, "ours", {"alpha.example": "valid"},
                       [partner("r%d.example" % row, ROWS[row]) for row in ROWS_TRIED] +
                       [partner("nowhere.example", ROWS[7])], wrapper=VALGRIND)
        for row, method in ROWS_TRIED.items():
            status, said = ours.ping("alpha.example", "r%d.example" % row, timeout=20)
            tap.case(status == 0, "row %d: ping answered, %s" % (row, method), said)
        status, said = ours.ping("alpha.example", "nowhere.example", timeout=20)
        tap.case(status == 4, "a peer that is not there: status 4", "status %d" % status, said)
        ours.reload()
        wait_until(lambda: ours.ping("alpha.example", "r2.example")[0] == 0, 10)
        for name, instance in (("the initiating", ours), ("the receiving", theirs)):
            status = stop(instance)
            tap.case(status == 0 and not instance.findings(),
                     "valgrind finds nothing in %s daemon" % name, "status %s" % status,
                     instance.log()[-4000:])
    return tap.done()


def stop(instance):
    """As stop(), with the time that valgrind takes for its report."""
    instance.lab.running.remove(instance.process)
    return instance.process.stop(30)


sys.exit(main())
