#!/usr/bin/env python3
"""A component written with xmpp.js attaches to parleyd (XEP-0114) and talks with
a private Prosody, both ways; it comes back by itself after a restart."""

import sys

from lab import namespace, prosody, start, xmppjs
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.policy import ROWS
from lab.tap import Tap

BOT, THEIRS, PORT = "bot.alpha.example", "beta.example", 5347
SERVICES = """
components { listen = "127.0.0.1:5347" }
component "bot.alpha.example" { secret = "bot secret"  certificate = "%s"  private-key = "%s" }
"""


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
        said = bot.ask("message", "bot@%s/r" % BOT, body)
        tap.case(said.get("body") == body, "message: to itself and back", said)
        said = bot.ask("message", "nobody@" + THEIRS, "hello")
        tap.case(said.get("type") == "error" and said.get("condition") == "service-unavailable",
                 "message: there, and Prosody's error back", said)
        status = ours.stop()
        ours.start()
        tap.case(status == 0 and bot.wait("event", "online"), "it is back after a restart", status)
        said = bot.ask("ping", THEIRS)
        tap.case(said.get("type") == "result", "... and Prosody answers again", said)
        errors = bot.stop()
        tap.case("Error" not in errors, "xmpp.js understood all of it", errors[-2000:])
        status = ours.stop()
        tap.case(status == 0 and not ours.findings(), "parleyd ends with status 0", status,
                 *ours.findings())
    return tap.done()


sys.exit(main())
