#!/usr/bin/env python3
"""A component written with xmpp.js attaches to parleyd (XEP-0114) and talks with
a private Prosody, both ways; it comes back by itself after a restart."""

import os
import socket
import sys

from lab import namespace, prosody, start, xmppjs
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.policy import ROWS
from lab.process import wait_until
from lab.tap import Tap

BOT, THEIRS, PORT = "bot.alpha.example", "beta.example", 5347
SERVICES = """
components { listen = "127.0.0.1:5347" }
component "bot.alpha.example" { secret = "bot secret"  certificate = "%s"  private-key = "%s" }
"""


def message_of_the_peer(peer):
    """One to the component, which sends it back; Prosody's line of that."""
    with socket.create_connection(peer.control, 2) as control:
        control.sendall(b"message %s flow@%s js\n" % (THEIRS.encode(), BOT.encode()))
        return wait_until(lambda: lines_of(peer), 10)


def lines_of(peer):
    if not os.path.exists(peer.traffic):
        return []
    with open(peer.traffic, encoding="utf-8") as file:
        return [line for line in file.read().splitlines() if line.endswith(" js")]


def main():
    tap = Tap()
    reason = prosody.available() and "prosody is not installed"
    if not reason and not namespace.inside():
        reason = xmppjs.missing()      # the network is there only now
    reason = reason or start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        lab.certificates.make((BOT, "valid"), (THEIRS, "valid"))
        lab.names.server(BOT, "127.0.0.1")
        lab.names.server(THEIRS, "127.0.0.3")
        lab.names.start(lab)
        peer = prosody.Prosody(lab, "peer", "127.0.0.3", prosody.POLICIES["all"],
                               {THEIRS: "valid"})
        ours = Parleyd(lab, "main", {}, [partner("*", ROWS[7])],
                       more=SERVICES % lab.certificates.get(BOT, "valid"))
        wrong = xmppjs.Service(BOT, "bot secre", "127.0.0.1", PORT)
        said = wrong.wait("condition", "not-authorized")
        tap.case(said, "a wrong secret: not-authorized", said)
        wrong.stop()
        bot = xmppjs.Service(BOT, "bot secret", "127.0.0.1", PORT)
        tap.case(bot.wait("event", "online"), "it attaches", ours.log()[-2000:])
        said = bot.ask("ping", THEIRS)
        tap.case(said.get("type") == "result", "iq: Prosody answers its ping", said)
        answered, said = peer.ping(THEIRS, BOT)
        tap.case(answered, "iq: it answers a ping of Prosody", said)
        body = "hello <&> ünïcode"
        said = bot.ask("message", THEIRS, body)
        tap.case(said.get("body") == body and said.get("to") == "bot@%s/r" % BOT,
                 "message: there and back, twice", said)
        lines = message_of_the_peer(peer)
        tap.case(lines == ["message normal js"], "message: Prosody's comes back", lines)
        said = bot.ask("message", "nobody@" + THEIRS, "hello")
        tap.case(said.get("type") == "error" and said.get("condition") == "service-unavailable",
                 "message: there, and Prosody's error back", said)
        status = ours.stop()
        said = bot.wait("event", "error")
        tap.case(said.get("condition") == "system-shutdown", "the end of parleyd is told", said)
        ours.start()
        tap.case(status == 0 and bot.wait("event", "online"), "it is back after a restart", status)
        said = bot.ask("ping", THEIRS)
        tap.case(said.get("type") == "result", "... and Prosody answers again", said)
        answered, said = peer.ping(THEIRS, BOT)
        tap.case(answered, "... and is answered", said)
        tap.case("secret" not in ours.log(), "the log knows no secret")
        errors = bot.stop()
        tap.case("Error" not in errors, "xmpp.js understood all of it", errors[-2000:])
        status = ours.stop()
        tap.case(status == 0 and not ours.findings(), "parleyd ends with status 0", status,
                 *ours.findings())
    return tap.done()


sys.exit(main())
