#!/usr/bin/env python3
"""A server behind parleyd: Prosody serves alpha.example on a private link, and
ejabberd, which stands for the world, only ever sees parleyd."""

import socket
import sys
import threading
import time

from lab import ejabberd, outcome, prosody, start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.policy import ROWS, SASL
from lab.process import wait_until
from lab.tap import Tap

OURS, THEIRS = "alpha.example", "beta.example"
BORDER, DOOR, BEHIND, WORLD, NAMES = ("127.0.0.1", "127.0.0.9", "127.0.0.7", "127.0.0.3",
                                      "127.0.0.8")


class EveryNameHere(threading.Thread):
    """A name server for the server behind: every address is the gateway's door,
    and there are no other records."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((NAMES, 53))
        self.start()

    def run(self):
        while True:
            query, asker = self.socket.recvfrom(2048)
            end = query.index(b"\0", 12) + 5
            question, kind = query[12:end], query[end - 4:end - 2]
            answer = b""
            if kind == b"\0\1":
                answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(DOOR)
            header = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + b"\0\0\0\0"
            self.socket.sendto(header + question + answer, asker)


def lines_of(ours, direction):
    return ours.outcomes(local=OURS, remote=THEIRS, direction=direction)


def main():
    tap = Tap()
    for peer in prosody, ejabberd:
        if peer.available():
            return tap.skip_all("%s is not installed" % peer.available())
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        lab.certificates.make((OURS, "valid"), (THEIRS, "valid"))
        lab.names.server(OURS, BORDER)
        lab.names.server(THEIRS, WORLD)
        lab.names.start(lab)
        EveryNameHere()
        inner = prosody.Prosody(lab, "behind", BEHIND, prosody.POLICIES["all"], {OURS: "valid"},
                                more='unbound = { resolvconf = false, forward = "%s" }' % NAMES)
        world = ejabberd.Ejabberd(lab, "world", WORLD,
                                  {THEIRS: (ejabberd.POLICIES["strict"], "valid")})
        certificate, key = lab.certificates.get(OURS, "valid")
        ours = Parleyd(lab, "border", {}, [partner(THEIRS, ROWS[2])], more="""
host "alpha.example" { certificate = "%s"  private-key = "%s"  upstream = "%s:5269" }
gateway { listen = "%s:5269" }
""" % (certificate, key, BEHIND, DOOR))
        answered, said = world.ping(THEIRS, OURS)
        tap.case(answered, "the world's ping is answered from behind", said, ours.log()[-3000:])
        lines = lines_of(ours, "in") + lines_of(ours, "out")
        tap.case(len(lines) == 2 and all(line["method"] == SASL for line in lines),
                 "row 2 stands at the border: SASL over TLS each way",
                 *map(outcome.line, lines))
        wait_until(lambda: all(world.negotiated(THEIRS, OURS).values()), 6, 0.2)
        seen = world.negotiated(THEIRS, OURS)
        tap.case(seen["in"] == [SASL] and seen["out"] == [SASL], "so says ejabberd", seen)
        answered, said = inner.ping(OURS, THEIRS)
        tap.case(answered, "a ping from behind is answered by the world", said,
                 ours.log()[-3000:])
        status, said = ours.ping(OURS, THEIRS)
        tap.case(status == 0, "parley ping in its name is answered to parleyd", said)
        seen = inner.negotiated(OURS, THEIRS)
        tap.case(set(seen["in"]) == set(seen["out"]) == {"tls-dialback"},
                 "dialback over TLS on the private link, says Prosody", seen)
        lab.stop(inner.process)
        answered, said = world.ping(THEIRS, OURS)
        tap.case(not answered and "remote-server-timeout" in said,
                 "with the server behind gone the world hears remote-server-timeout", said)
        for _ in range(10):
            world.ping(THEIRS, OURS, 2)
            time.sleep(0.5)
        inner.start()
        begun = time.monotonic()
        while not (answered := world.ping(THEIRS, OURS, 2)[0]) and time.monotonic() - begun < 15:
            time.sleep(0.2)
        seconds = time.monotonic() - begun
        tap.case(answered and seconds < 8, "it is back, and reached within seconds", seconds,
                 ours.log()[-3000:])
        tap.note("reached after %.1f s" % seconds)
        findings = ours.findings()
        status = ours.stop()
        tap.case(status == 0 and not findings, "parleyd ends with status 0", status, *findings)
    return tap.done()


sys.exit(main())
