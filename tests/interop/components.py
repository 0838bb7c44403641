#!/usr/bin/env python3
"""Local services: a slixmpp component attaches to parleyd (XEP-0114) and talks
with a private Prosody, both ways, and hears what cannot be delivered."""

import sys

from lab import outcome, prosody, slixmpp, start
from lab.component import Component
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.peer import Closed
from lab.policy import ROWS, SASL
from lab.process import wait_until
from lab.tap import Tap

OURS, BOT, OTHER = "alpha.example", "bot.alpha.example", "other.alpha.example"
THEIRS = "beta.example"
PORT = 5347
SERVICES = """
components { listen = "127.0.0.1:5347" }
component "bot.alpha.example" { secret = "bot secret"  certificate = "%s"  private-key = "%s" }
component "other.alpha.example" { secret = "other secret"  connect = refuse }
"""


def attaches(tap, ours):
    """A gateway with a wrong secret, then one with the right one."""
    wrong = slixmpp.Gateway(BOT, "bot secre", "127.0.0.1", PORT)
    said = wrong.wait("event", "stream-error")
    tap.case(said.get("condition") == "not-authorized", "a wrong secret: not-authorized", said)
    wrong.stop()
    gateway = slixmpp.Gateway(BOT, "bot secret", "127.0.0.1", PORT)
    said = gateway.wait("event", "attached")
    tap.case(said, "a slixmpp component attaches", said, ours.log()[-2000:])
    lines = [one for one in ours.streams() if one["method"] == "component"]
    tap.case([one["local"] for one in lines] == [BOT], "parley streams lists it", lines)
    return gateway


def there_and_back(tap, ours, gateway, peer):
    said = gateway.ask("ping", THEIRS)
    tap.case(said.get("type") == "result", "iq: Prosody answers a ping of the component", said)
    lines = ours.outcomes(local=BOT, remote=THEIRS)
    tap.case(len(lines) == 2 and all(one["method"] == SASL for one in lines),
             "one stream each way, SASL over TLS", *map(outcome.line, lines))
    said = gateway.ask("version", THEIRS)
    tap.case(said.get("type") in ("result", "error"),
             "iq: a version request is answered", said)
    body = "hello <&>'\" ünïcode"
    said = gateway.ask("message", THEIRS, body)
    tap.case(said.get("body") == body and said.get("to") == "bot@%s/r" % BOT,
             "message: there and back", said)
    answered, said = peer.ping(THEIRS, BOT)
    tap.case(answered, "iq: the component answers a ping of Prosody", said)
    status, said = ours.ping(BOT, THEIRS)
    tap.case(status == 0, "parley ping in the component's name is answered to us", said)
    said = gateway.ask("message", "nobody@" + THEIRS, "hello")
    tap.case(said.get("type") == "error" and said.get("condition") == "service-unavailable",
             "message: Prosody's own error comes back", said)
    tap.case(len(ours.outcomes(local=BOT, remote=THEIRS)) == 2, "all over the same streams",
             *map(outcome.line, ours.outcomes(local=BOT)))


def at_home(tap, gateway):
    said = gateway.ask("version", OURS)
    tap.case(said.get("name") == "parley", "our own host answers", said)
    said = gateway.ask("message", OTHER, "anybody?")
    tap.case(said.get("condition") == "service-unavailable", "a component that is away", said)
    other = Component(OTHER, "other secret", "127.0.0.1", PORT)
    answered, said = other.ping(BOT)
    tap.case(answered, "components reach one another", said)
    try:
        Component(OTHER, "other secret", "127.0.0.1", PORT)
        second = "attached"
    except Closed as reason:
        second = str(reason)
    tap.case(second != "attached", "connect = refuse keeps the first", second)
    answered, said = other.ping(BOT)
    tap.case(answered, "which goes on", said)
    return other


def comes_back(tap, gateway):
    said = gateway.ask("ping", "nx.example")
    tap.case(said.get("condition") == "remote-server-not-found"
             and said.get("error_type") == "cancel", "no such domain", said)
    said = gateway.ask("message", "a@refused.example", "hello")
    tap.case(said.get("condition") == "remote-server-timeout", "nobody listens there", said)


def reloaded(tap, ours, gateway, other):
    """A section that goes takes its component along, and no other."""
    ours.more = ours.more.replace('component "other', '#component "other')
    ours.write()
    ours.reload()
    gone = wait_until(lambda: not other.ping(BOT, 1)[0], 5)
    tap.case(gone, "a removed section ends its component")
    said = gateway.ask("ping", THEIRS)
    tap.case(said.get("type") == "result", "the others stay attached", said)


def main():
    tap = Tap()
    reason = start.impossible()
    missing = prosody.available() or slixmpp.available()
    if reason or missing:
        return tap.skip_all(reason or "%s is not installed" % missing)
    with Laboratory() as lab:
        lab.certificates.make((OURS, "valid"), (BOT, "valid"), (THEIRS, "valid"))
        for domain in OURS, BOT, OTHER:
            lab.names.server(domain, "127.0.0.1")
        lab.names.server(THEIRS, "127.0.0.3")
        lab.names.server("refused.example", "127.0.0.4")
        lab.names.start(lab)
        peer = prosody.Prosody(lab, "peer", "127.0.0.3", prosody.POLICIES["all"],
                               {THEIRS: "valid"})
        ours = Parleyd(lab, "main", {OURS: "valid"}, [partner("*", ROWS[7])],
                       more=SERVICES % lab.certificates.get(BOT, "valid"))
        gateway = attaches(tap, ours)
        there_and_back(tap, ours, gateway, peer)
        other = at_home(tap, gateway)
        comes_back(tap, gateway)
        reloaded(tap, ours, gateway, other)
        status = ours.stop()
        said = gateway.wait("event", "stream-error", 5)
        tap.case(said.get("condition") == "system-shutdown",
                 "the end of parleyd is told: system-shutdown", said)
        tap.case(status == 0 and not ours.findings(), "parleyd ends with status 0 and no finding",
                 "status %s" % status, *ours.findings())
        tap.case("secret" not in ours.log(), "its log knows no secret")
        errors = gateway.stop()
        tap.case("Traceback" not in errors, "slixmpp understood all of it", errors[-2000:])
    return tap.done()


sys.exit(main())
