#!/usr/bin/env python3
"""A day in the life of parleyd: two components and two partners talk without a
pause while a partner is killed, a certificate is renewed, a policy changes, a
component is killed, and parleyd itself ends. Nothing gets lost.
"""

import re
import shutil
import ssl
import subprocess
import sys
import time

from lab import ejabberd, prosody, slixmpp, start, valgrind
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.peer import Closed, Stream, client_context
from lab.policy import ROWS, SASL, TLS_DIALBACK
from lab.process import wait_until
from lab.tap import Tap
from lab.traffic import Attached, Flow, InEjabberd, InProsody, Ledger, Slixmpp

OURS, FIRST, SECOND = "alpha.example", "first.alpha.example", "second.alpha.example"
BETA, GAMMA = "beta.example", "gamma.example"      # Prosody, ejabberd
PORT = 5347
PAUSE = 0.06            # between the stanzas of a pair, in seconds
PARTNERS = BETA, GAMMA


class Day:
    def __init__(self, tap, lab):
        self.tap, self.lab, self.ledger = tap, lab, Ledger()
        self.names()
        self.beta = prosody.Prosody(lab, "beta", "127.0.0.3", prosody.POLICIES["all"],
                                    {BETA: "valid"})
        gamma = ejabberd.Ejabberd(lab, "gamma", "127.0.0.4",
                                  {GAMMA: (ejabberd.POLICIES["all"], "valid")})
        self.rows = {BETA: 7, GAMMA: 13}
        self.ours = Parleyd(lab, "main", {OURS: "valid"}, self.sections(), more=self.services())
        self.first = Attached(self.ledger, FIRST, "one", "127.0.0.1", PORT)
        self.second = self.attach_second()
        self.in_beta = InProsody(self.ledger, self.beta, BETA)
        self.in_gamma = InEjabberd(self.ledger, gamma, GAMMA)
        self.flow = self.flows()

    def names(self):
        for domain in OURS, FIRST, SECOND:
            self.lab.names.server(domain, "127.0.0.1")
        self.lab.names.server(BETA, "127.0.0.3")
        self.lab.names.server(GAMMA, "127.0.0.4")
        self.lab.certificates.make(*((name, "valid") for name in (OURS, FIRST, SECOND, *PARTNERS)))
        self.lab.names.start(self.lab)

    def sections(self):
        return [partner(domain, ROWS[row]) for domain, row in self.rows.items()]

    def services(self):
        text = 'components { listen = "127.0.0.1:%d" }\n' % PORT
        for domain, secret in (FIRST, "one"), (SECOND, "two"):
            text += 'component "%s" { secret = "%s"  certificate = "%s"  private-key = "%s" }\n' % (
                domain, secret, *self.lab.certificates.get(domain))
        return text

    def attach_second(self):
        second = Slixmpp(self.ledger, SECOND, "two", "127.0.0.1", PORT)
        if not second.wait("event", "attached"):
            raise Closed("slixmpp did not attach")
        return second

    def flows(self):
        """Each component with each partner, both ways."""
        pairs = [(component, far) for component in (self.first, self.second)
                 for far in (self.in_beta, self.in_gamma)]
        return Flow(self.ledger, pairs + [(far, near) for near, far in pairs], PAUSE)

    # Watching.

    def streams(self, remote=None):
        return {one["id"]: one for one in self.ours.streams()
                if one["method"] != "component" and remote in (None, one["remote"])}

    def reached(self, source, target, seconds):
        """Seconds until the next stanza arrives there; None: none came."""
        before, begun = self.ledger.count("delivered", source, target), time.monotonic()
        came = wait_until(lambda: self.ledger.count("delivered", source, target) > before, seconds)
        return time.monotonic() - begun if came else None

    def flowing(self, what, seconds=8):
        """Every pair of domains gets something through."""
        dead = []
        for near in FIRST, SECOND:
            for far in PARTNERS:
                for source, target in (near, far), (far, near):
                    if self.reached(source, target, seconds) is None:
                        dead.append("%s -> %s" % (source, target))
        self.tap.case(not dead, what, *dead, self.ours.log()[-4000:] if dead else "")

    # The events of the day.

    def morning(self):
        since = time.monotonic() - 1
        self.flowing("everybody talks to everybody", 15)
        # Prosody 0.12 sends what comes between SASL and the last features ahead
        # of what it has queued until then.
        self.ledger.overtakes(BETA, since)
        lines = self.ours.outcomes(event="negotiated")
        wrong = [one for one in lines
                 if one["method"] != (SASL if one["remote"] == BETA else TLS_DIALBACK)]
        self.tap.case(len(lines) >= 8 and not wrong,
                      "Prosody by SASL over TLS, ejabberd by TLS Dialback", *wrong)

    def partner_killed(self):
        since = time.monotonic()
        self.in_beta.kill()
        gone = wait_until(lambda: not self.streams(BETA), 3)
        self.ledger.doubt(BETA, since - 0.3)
        self.tap.case(gone is not None, "a partner is killed: its streams are gone",
                      self.streams(BETA))
        returned = self.ledger.count("returned", FIRST, BETA)
        time.sleep(2.5)
        self.tap.case(self.ledger.count("returned", FIRST, BETA) > returned,
                      "what is sent to it meanwhile comes back")
        since = time.monotonic()
        self.in_beta.start()
        seconds = self.reached(FIRST, BETA, 10)
        self.tap.case(seconds is not None and seconds < 6,
                      "it is started again, and reached within seconds", seconds)
        self.tap.note("reached after %.1f s" % (seconds or -1))
        self.flowing("everybody talks to everybody again")
        self.ledger.overtakes(BETA, since)

    def shown(self):
        """The certificate that a new stream to the first component sees."""
        stream = Stream.connect("127.0.0.1")
        stream.open(BETA, FIRST)
        stream.starttls(client_context(), FIRST)
        found = stream.socket.getpeercert(True)
        stream.close()
        return found

    def certificate_renewed(self):
        certificate, key = self.lab.certificates.get(FIRST)
        before, was, lines = self.streams(), self.shown(), len(self.ours.outcomes())
        self.lab.certificates.renew(FIRST)
        self.ours.command("reload")
        with open(certificate, encoding="ascii") as file:
            wanted = ssl.PEM_cert_to_DER_cert(file.read())
        self.tap.case(was != wanted and self.shown() == wanted,
                      "a renewed certificate is shown by new streams after a reload")
        self.broken_certificate(certificate, wanted)
        after = self.streams()
        self.tap.case(set(before) <= set(after) and before,
                      "no stream was dropped", sorted(set(before) - set(after)),
                      *self.ours.outcomes()[lines:])
        self.tap.case(self.ours.command("streams").returncode == 0, "and parleyd answers")

    def broken_certificate(self, certificate, wanted):
        shutil.copy(certificate, certificate + ".good")
        with open(certificate, "w", encoding="ascii") as file:
            file.write("-----BEGIN CERTIFICATE-----\nnot at all\n")
        done = self.ours.command("reload")
        shutil.move(certificate + ".good", certificate)
        self.tap.case(done.returncode != 0 and self.shown() == wanted,
                      "a broken file is refused, and the old one stays", done.stdout, done.stderr)

    def policy_changed(self):
        beta, gamma = set(self.streams(BETA)), set(self.streams(GAMMA))
        mark = len(self.ours.log())
        self.rows[GAMMA] = 2
        self.ours.partners = self.sections()
        self.ours.write()
        since = time.monotonic()
        done = self.ours.command("reload")
        self.tap.case(done.returncode == 0, "a policy is changed", done.stdout, done.stderr)
        gone = wait_until(lambda: not gamma & set(self.streams(GAMMA)), 5)
        self.ledger.doubt(GAMMA, since - 0.3)
        self.tap.case(gone is not None, "the partner's streams are closed", self.streams(GAMMA))
        log = self.ours.log()[mark:]
        self.tap.case(re.search(r'"event":\s*"closed"[^}]*"remote":\s*"gamma|"remote":\s*"gamma'
                                r'[^}]*"event":\s*"closed"[^}]*"code":\s*"[a-z-]+"', log),
                      "with a reason", log[-3000:])
        self.tap.case(beta <= set(self.streams(BETA)), "the other partner's stay",
                      sorted(beta - set(self.streams(BETA))))
        self.flowing("everybody talks to everybody, by the new row")
        methods = {one["method"] for one in self.streams(GAMMA).values()
                   if not one["verify_only"] and one["phase"] == "open"}
        self.tap.case(methods == {SASL}, "which is SASL over TLS", methods)

    def component_killed(self, kill, attach, domain):
        since = time.monotonic()
        kill()
        gone = wait_until(lambda: not [one for one in self.ours.streams()
                                       if one["local"] == domain and one["method"] == "component"], 3)
        self.ledger.doubt(domain, since - 0.3)
        before = self.ledger.count("returned", BETA, domain)
        time.sleep(0.5)
        came_back = self.ledger.count("returned", BETA, domain) > before
        self.tap.case(gone is not None and came_back,
                      "a component is killed: what is sent to it comes back")
        attach()
        self.tap.case(self.reached(BETA, domain, 3) is not None,
                      "attached again, it is reached at once")

    def components_killed(self):
        def attach_first():
            self.first.again()

        def attach_second():
            self.second.again()
            self.second.wait("event", "attached")
        self.component_killed(self.first.kill, attach_first, FIRST)
        self.component_killed(self.second.kill, attach_second, SECOND)
        self.flowing("everybody talks to everybody still")

    def evening(self):
        since = time.monotonic()
        done = self.ours.command("drain")
        process = self.ours.process
        ended = wait_until(lambda: not process.running(), 15)
        self.tap.case(done.returncode == 0 and ended and process.child.returncode == 0,
                      "parley drain: parleyd ends with status 0",
                      done.stderr, process.child.returncode, self.ours.log()[-2000:])
        self.tap.note("drained in %.1f s" % (time.monotonic() - since))
        # What a component wrote while its stream was being closed.
        for component in self.first, self.second:
            self.ledger.doubt(component.domain, component.ended_at - 0.2, component.ended_at)
        self.flow.stop()
        self.tap.case(not self.ours.findings(), "with no finding", *self.ours.findings())


def main():
    tap = Tap()
    missing = prosody.available() or ejabberd.available() or slixmpp.available()
    reason = missing and missing + " is not installed" or start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        day = Day(tap, lab)
        day.morning()
        day.partner_killed()
        day.certificate_renewed()
        day.policy_changed()
        day.components_killed()
        day.evening()
        day.ledger.settle(10)
        faults = day.ledger.faults()
        tap.note(day.ledger.summary())
        tap.case(not faults, "every stanza arrived once or came back once, in its order",
                 "%d faults" % len(faults), *faults[:60])
        doubtful = day.ledger.doubtful()
        tap.case(len(doubtful) <= 60 * valgrind.FACTOR, "few are in doubt", *doubtful)
        tap.note("in doubt: " + " ".join(doubtful))
    return tap.done()


sys.exit(main())
