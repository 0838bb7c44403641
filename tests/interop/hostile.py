#!/usr/bin/env python3
"""Hostile and broken peers against parleyd, each scripted to one fault.

    hostile.py [WORD...]    only the cases whose name holds one of the words
"""

import os
import ssl
import subprocess
import sys
import threading
import time

from lab import outcome, start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner, program
from lab.peer import (NS_SASL, NS_TLS, Closed, Server, Stream, client_context, server_context)
from lab.policy import ROWS, SASL, TCP_DIALBACK, TLS_DIALBACK
from lab.process import wait_until
from lab.tap import Tap

OURS, SECOND = "alpha.example", "beta.example"
NEGOTIATE = 4           # seconds, in the configuration
SLACK = 2.5             # what a loaded machine may add to a deadline
INSIDE = 127, 0, 50     # addresses of scripted domains

CASES = []


class Room:
    """What a case gets: parleyd, certificates, and domains to play."""

    def __init__(self, lab, ours, traces):
        self.lab, self.ours, self.traces = lab, ours, traces
        self.servers, self.dialled = [], []

    def address(self, domain):
        return "127.0.50.%d" % (DOMAINS.index(domain) + 1)

    def certificate(self, domain):
        return self.lab.certificates.get(domain)

    def server(self, domain, tls=True, kind=Server, **more):
        """A scripted server at the domain's address."""
        context = server_context(self.certificate(domain)) if tls else None
        server = kind(domain, self.address(domain), context=context, **more)
        self.servers.append(server)
        return server

    def end_case(self):
        """Close everything and let parleyd's log come to rest, so that no line
        is taken for one of the next case."""
        for server in self.servers:
            server.stop()
        for stream in self.dialled:
            stream.close()
        self.servers, self.dialled = [], []
        size = -1
        while size != len(self.ours.log()):
            size = len(self.ours.log())
            time.sleep(0.15)
        self.ours.mark = size

    # Dialling in.

    def dial(self, port=5269, source=None, timeout=5.0):
        stream = Stream.connect("127.0.0.1", port, timeout, source)
        self.dialled.append(stream)
        return stream

    def clear(self, domain, to=OURS, **more):
        """A stream in clear up to the features."""
        stream = self.dial()
        stream.open(domain, to, **more)
        return stream

    def secure(self, domain, to=OURS, certificate=True, source=None):
        """A stream under TLS up to its features; (stream, features)."""
        stream = self.dial(source=source)
        stream.open(domain, to)
        stream.starttls(client_context(self.certificate(domain) if certificate else None), to)
        _, features = stream.open(domain, to)
        return stream, features

    def authenticated(self, domain, to=OURS, source=None):
        """A stream that EXTERNAL authenticated, after its restart."""
        stream, _ = self.secure(domain, to, source=source)
        answer = stream.external(domain)
        if answer.name != "success":
            raise Closed("EXTERNAL: " + answer.raw)
        stream.buffer = b""
        stream.open(domain, to)
        return stream

    def dialback(self, domain, to=OURS):
        """A stream in clear that dialback authenticated."""
        stream = self.clear(domain, to)
        stream.result(domain, to)
        answer = stream.expect("result")
        if answer.get("type") != "valid":
            raise Closed("dialback: " + answer.raw)
        return stream

    # Being dialled.

    def ping_soon(self, domain, timeout=6):
        """parleyd dials the domain, in the background."""
        thread = threading.Thread(target=self.ours.ping, args=(OURS, domain, timeout), daemon=True)
        thread.start()
        return thread

    def outcome(self, domain, direction, seconds=NEGOTIATE + SLACK, count=1, local=OURS):
        """The last outcome line for that domain, or {}."""
        lines = self.ours.wait_outcome(seconds, count, local=local, remote=domain,
                                       direction=direction)
        return lines[-1] if lines else {}

    def honest(self, source=None):
        """An honest peer gets through: seconds that it took."""
        begun = time.monotonic()
        self.authenticated("honest.example", source=source).close()
        return time.monotonic() - begun


def case(name, *domains):
    """Registers a case: it returns faults, as text or lists of text."""
    def register(function):
        CASES.append((name, function, domains))
        return function
    return register


def must(condition, *text):
    return [] if condition else [" ".join(str(word) for word in text)]


def failed_as(line, *codes):
    return must(line.get("event") == "failed" and line.get("code") in codes,
                "wanted failed", "/".join(codes), "got:", outcome.line(line) or "no line")


def negotiated_as(line, method):
    return must(line.get("event") == "negotiated" and line.get("method") == method,
                "wanted", method, "got:", outcome.line(line) or "no line")


def ended(stream, condition=None, seconds=NEGOTIATE + SLACK):
    """The stream must end within the time, with that stream error."""
    begun = time.monotonic()
    text = stream.rest(seconds)
    faults = must(not stream.ended.startswith("nothing came"),
                  "still open after %.1f s: %s" % (time.monotonic() - begun, text[-300:]))
    if condition:
        faults += must(any("<" + one in text for one in condition.split("|")),
                       "wanted stream error", condition, "got:", text[-500:] or stream.ended)
    return faults


# Before authentication, dialling in.

@case("bytes behind <starttls/> are fatal", "strict.example")
def bytes_behind_starttls(room):
    stream = room.clear("strict.example")
    stream.send("<starttls xmlns='%s'/><iq type='get' from='strict.example' to='%s' id='x'/>"
                % (NS_TLS, OURS))
    return ended(stream) + failed_as(room.outcome("strict.example", "in"),
                                     "plaintext-behind-starttls")


@case("a connection that says nothing ends at the deadline")
def says_nothing(room):
    seconds = room.dial().closed_within(NEGOTIATE + SLACK)
    return must(seconds is not None, "still open after the deadline")


@case("a header that never ends is cut at the deadline")
def slow_header(room):
    return trickle(room.dial(), "<stream:stream xmlns='jabber:server' " + " " * 400)


@case("trickled white space does not extend the deadline", "strict.example")
def slow_space(room):
    return trickle(room.clear("strict.example"), " " * 400)


@case("a trickled element does not extend the deadline", "clear.example")
def slow_element(room):
    return trickle(room.clear("clear.example"),
                   "<db:result from='clear.example' to='%s'>" % OURS + "a" * 400)


def trickle(stream, text):
    """A byte every 50 ms."""
    stream.socket.settimeout(0.05)
    begun = time.monotonic()
    for byte in text.encode():
        if time.monotonic() - begun > NEGOTIATE + SLACK:
            return ["still open after %.1f s of trickling" % (time.monotonic() - begun)]
        try:
            stream.send(bytes([byte]))
            if not stream.socket.recv(4096):
                return []
        except TimeoutError:
            continue
        except OSError:
            return []
    return ["still open after the whole text"]


@case("something other than XMPP is refused at once")
def not_xmpp(room):
    stream = room.dial()
    stream.send("GET / HTTP/1.1\r\nHost: alpha.example\r\n\r\n")
    return ended(stream, seconds=SLACK)


RESTRICTED = {
    "a comment": "<!-- x -->", "a processing instruction": "<?php x ?>",
    "a CDATA-less entity": "&bomb;",
}


@case("restricted XML is answered with restricted-xml", "strict.example")
def restricted(room):
    faults = []
    for name, text in RESTRICTED.items():
        stream = room.clear("strict.example")
        stream.send(text if text[1] != "b" else "<x>%s</x>" % text)
        wanted = "restricted-xml" if text[1] != "b" else "restricted-xml|not-well-formed"
        faults += ["%s: %s" % (name, fault) for fault in ended(stream, wanted, SLACK)]
    stream = room.dial()
    stream.send("<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]>"
                "<stream:stream xmlns='jabber:server' to='%s' version='1.0'"
                " xmlns:stream='http://etherx.jabber.org/streams'>" % OURS)
    return faults + ["DTD: " + fault for fault in ended(stream, "restricted-xml", SLACK)]


@case("XML that is not well-formed is named so", "strict.example")
def not_well_formed(room):
    stream = room.clear("strict.example")
    stream.send("<a></b>")
    return ended(stream, "not-well-formed", SLACK) + failed_as(
        room.outcome("strict.example", "in"), "not-well-formed")


@case("bytes that are not UTF-8 end the stream", "strict.example")
def not_utf8(room):
    stream = room.clear("strict.example")
    stream.send(b"<a>\xff\xfe</a>")
    return ended(stream, "not-well-formed|unsupported-encoding|bad-format", SLACK)


@case("a wrong content namespace is named so")
def wrong_namespace(room):
    stream = room.dial()
    stream.send("<stream:stream xmlns='jabber:client' to='%s' from='strict.example' version='1.0'"
                " xmlns:stream='http://etherx.jabber.org/streams'>" % OURS)
    return ended(stream, "invalid-namespace", SLACK)


@case("sizes are bounded before authentication", "strict.example")
def too_large(room):
    texts = {
        "a long attribute": "<a b='%s'/>" % ("x" * 40000),
        "a long name": "<%s/>" % ("x" * 40000),
        "much text": "<a>%s</a>" % ("x" * 40000),
        "many attributes": "<a %s/>" % " ".join("a%d='1'" % i for i in range(3000)),
        "much depth": "<a>" * 3000,
        "many namespaces": "<a %s/>" % " ".join("xmlns:n%d='u:%d'" % (i, i) for i in range(3000)),
        "many elements": "<a/>" * 20000,
        "much white space": " " * 400000,
    }
    faults = []
    for name, text in texts.items():
        stream = room.clear("strict.example")
        try:
            stream.send(text)
        except OSError:
            continue
        faults += ["%s: %s" % (name, fault) for fault in ended(stream, seconds=SLACK)]
    return faults


@case("a huge header is refused")
def huge_header(room):
    stream = room.dial()
    try:
        stream.header("strict.example", OURS, more=" a='%s'" % ("x" * 100000))
    except OSError:
        return []
    return ended(stream, seconds=SLACK)


@case("an unsolicited db:result valid authenticates nothing", "clear.example")
def unsolicited_result(room):
    stream = room.clear("clear.example")
    stream.send("<db:result from='clear.example' to='%s' type='valid'>k</db:result>" % OURS)
    stream.send("<db:verify from='clear.example' to='%s' id='%s' type='valid'>k</db:verify>"
                % (OURS, stream.id))
    stream.iq("clear.example", OURS, "stolen")
    faults = ended(stream)
    return faults + must(not room.ours.outcomes(remote="clear.example", event="negotiated",
                                                direction="in"), "it was believed")


@case("a stanza before authentication is not-authorized", "clear.example")
def stanza_first(room):
    stream = room.clear("clear.example")
    stream.iq("clear.example", OURS)
    return ended(stream, "not-authorized|policy-violation", SLACK)


@case("EXTERNAL in clear is refused", "clear.example")
def external_in_clear(room):
    stream = room.clear("clear.example")
    try:
        answer = stream.external("clear.example")
        return must(answer.name != "success", answer.raw)
    except Closed:
        return []


@case("we are not believed to be somebody else's us")
def from_local(room):
    stream = room.dial()
    stream.header(OURS, OURS)
    return ended(stream, seconds=SLACK)


@case("a domain that we do not serve is host-unknown", "strict.example")
def host_unknown(room):
    stream = room.dial()
    stream.header("strict.example", "nobody.example")
    faults = ended(stream, "host-unknown", SLACK)
    return faults + failed_as(room.outcome("strict.example", "in", local="nobody.example"),
                              "host-unknown")


@case("a domain without partner entry is refused", "stranger.example")
def stranger(room):
    stream = room.dial()
    stream.header("stranger.example", OURS)
    faults = ended(stream, "policy-violation", SLACK)
    return faults + failed_as(room.outcome("stranger.example", "in"), "partner-unknown")


@case("the direct TLS port given clear bytes ends soon")
def clear_at_direct(room):
    stream = room.dial(5270)
    stream.header("strict.example", OURS)
    seconds = stream.closed_within(SLACK)
    return must(seconds is not None, "still open")


@case("a TLS handshake that stalls ends at its deadline", "strict.example")
def stalled_handshake(room):
    stream = room.clear("strict.example")
    stream.send("<starttls xmlns='%s'/>" % NS_TLS)
    stream.expect("proceed")
    stream.send(b"\x16\x03\x01\x02\x00\x01\x00")
    seconds = stream.closed_within(NEGOTIATE + SLACK)
    return must(seconds is not None, "still open") + failed_as(
        room.outcome("strict.example", "in"), "tls-timeout", "negotiation-timeout")


@case("rubbish in place of a handshake fails as TLS", "strict.example")
def rubbish_handshake(room):
    stream = room.clear("strict.example")
    stream.send("<starttls xmlns='%s'/>" % NS_TLS)
    stream.expect("proceed")
    stream.send(b"\x00" * 64)
    return must(stream.closed_within(SLACK) is not None, "still open") + failed_as(
        room.outcome("strict.example", "in"), "tls-failed")


@case("TLS 1.1 is not spoken", "strict.example")
def old_tls(room):
    stream = room.clear("strict.example")
    context = client_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        stream.starttls(context)
    except (Closed, OSError):
        return failed_as(room.outcome("strict.example", "in"), "tls-version", "tls-failed")
    return ["the handshake succeeded"]


@case("a stanza behind TLS, before authentication, is refused", "strict.example")
def stanza_behind_tls(room):
    stream, _ = room.secure("strict.example")
    stream.iq("strict.example", OURS)
    return ended(stream, "not-authorized|policy-violation", SLACK)


@case("SASL retries are bounded", "strict.example")
def sasl_retries(room):
    stream, _ = room.secure("strict.example", certificate=False)
    stream.socket.settimeout(SLACK)
    for number in range(60):
        try:
            stream.send("<auth xmlns='%s' mechanism='EXTERNAL'>=</auth>" % NS_SASL)
            stream.read()
        except (Closed, OSError):
            return must(number < 50, "only after %d tries" % number)
    return ["60 tries and still open"]


@case("another mechanism is invalid-mechanism", "strict.example")
def other_mechanism(room):
    stream, _ = room.secure("strict.example")
    stream.send("<auth xmlns='%s' mechanism='PLAIN'>AGEAYg==</auth>" % NS_SASL)
    answer = stream.expect("failure", "error")
    return must(answer.has("invalid-mechanism"), answer.raw)


@case("an authzid of another domain is invalid-authzid", "strict.example")
def other_authzid(room):
    stream, _ = room.secure("strict.example")
    answer = stream.external("honest.example")
    return must(answer.has("invalid-authzid"), answer.raw)


@case("a certificate of another domain gets no EXTERNAL", "strict.example", "clear.example")
def other_certificate(room):
    stream = room.dial()
    stream.open("strict.example", OURS)
    stream.starttls(client_context(room.certificate("clear.example")))
    _, features = stream.open("strict.example", OURS)
    faults = must(not features.has("EXTERNAL"), "EXTERNAL offered: " + features.raw)
    answer = stream.external("strict.example") if features.name == "features" else features
    return faults + must(answer.name != "success", "accepted: " + answer.raw)


@case("what was said before TLS is forgotten", "strict.example", "clear.example")
def changed_from(room):
    stream = room.dial()
    stream.open("clear.example", OURS)
    stream.starttls(client_context(room.certificate("clear.example")))
    stream.header("strict.example", OURS)
    try:
        stream.expect("stream")
        answer = stream.read()
        if answer.name == "features" and answer.has("EXTERNAL"):
            answer = stream.external("strict.example")
    except Closed:
        return []
    return must(answer.name != "success", "authenticated as another: " + answer.raw)


@case("starttls where the row has no TLS is refused", "plain.example")
def starttls_not_supported(room):
    stream = room.dial()
    _, features = stream.open("plain.example", OURS)
    stream.send("<starttls xmlns='%s'/>" % NS_TLS)
    text = stream.rest(SLACK)
    return must(not features.has("starttls"), features.raw) + must(
        "<proceed" not in text and ("<failure" in text or "error" in text), text or "silence")


@case("db:result in clear where TLS is needed: policy-violation, stream stays", "strict.example")
def clear_result(room):
    stream = room.clear("strict.example")
    stream.result("strict.example", OURS)
    answer = stream.expect("result", "error")
    faults = must(answer.name == "result" and answer.get("type") == "error" and
                  answer.has("policy-violation"), answer.raw)
    stream.starttls(client_context(room.certificate("strict.example")))
    stream.open("strict.example", OURS)
    answer = stream.external("strict.example")
    return faults + must(answer.name == "success", answer.raw) + failed_as(
        room.ours.outcomes(remote="strict.example", direction="in")[0],
        "tls-not-offered", "dialback-not-allowed", "sasl-not-offered")


# After authentication.

@case("a stanza from another domain is invalid-from", "strict.example")
def stanza_other_from(room):
    stream = room.authenticated("strict.example")
    stream.iq("honest.example", OURS)
    return ended(stream, "invalid-from", SLACK)


@case("a stanza from a subdomain is invalid-from", "strict.example")
def stanza_subdomain(room):
    stream = room.authenticated("strict.example")
    stream.iq("rooms.strict.example", OURS)
    return ended(stream, "invalid-from", SLACK)


@case("a stanza from one of our domains is refused", "strict.example")
def stanza_from_ours(room):
    stream = room.authenticated("strict.example")
    stream.iq(SECOND, OURS)
    return ended(stream, "invalid-from", SLACK)


@case("a stanza without addresses is improper-addressing", "strict.example")
def stanza_no_addresses(room):
    stream = room.authenticated("strict.example")
    stream.send("<message><body>x</body></message>")
    return ended(stream, "improper-addressing", SLACK)


@case("a stanza for a pair that was not verified is refused", "strict.example")
def stanza_other_pair(room):
    server = room.server("strict.example")
    stream = room.authenticated("strict.example")
    stream.iq("strict.example", SECOND, "otherpair")
    text = stream.rest(1.0)
    answer = server.wait_for("iq", 0.5, id="otherpair")
    return must(answer is None, "answered: %s" % answer) + must(
        "otherpair" not in text, text)


@case("restricted XML after authentication is restricted-xml", "strict.example")
def restricted_later(room):
    stream = room.authenticated("strict.example")
    stream.send("<message from='strict.example' to='%s'><!-- x --></message>" % OURS)
    return ended(stream, "restricted-xml", SLACK)


@case("a stanza above the limit is policy-violation", "strict.example")
def stanza_too_large(room):
    stream = room.authenticated("strict.example")
    try:
        stream.send("<message from='strict.example' to='%s'><body>%s</body></message>" %
                    (OURS, "x" * 700000))
    except OSError:
        pass
    return ended(stream, seconds=SLACK)


@case("an end in the middle of a stanza harms nobody", "strict.example")
def cut_stanza(room):
    stream = room.authenticated("strict.example")
    stream.send("<message from='strict.example' to='%s'><bo" % OURS)
    stream.close()
    return must(room.honest() < 3, "the honest peer had to wait")


@case("a second header and starttls after authentication end the stream", "strict.example")
def second_header(room):
    stream = room.authenticated("strict.example")
    stream.send("<starttls xmlns='%s'/>" % NS_TLS)
    text = stream.rest(SLACK)
    return must("<proceed" not in text, text)


# Being dialled by parleyd.

class Injecting(Server):
    """Sends features in clear right behind <proceed/>."""

    def on_starttls(self, stream, _element):
        stream.send("<proceed xmlns='%s'/><stream:features><mechanisms xmlns='%s'>"
                    "<mechanism>EXTERNAL</mechanism></mechanisms></stream:features>"
                    % (NS_TLS, NS_SASL))
        stream.wrap(self.context, server=True)


@case("bytes behind <proceed/> are fatal", "strict.example")
def bytes_behind_proceed(room):
    room.server("strict.example", kind=Injecting)
    room.ping_soon("strict.example")
    return failed_as(room.outcome("strict.example", "out"), "plaintext-behind-starttls")


class BrokenTls(Server):
    def on_starttls(self, stream, _element):
        stream.send("<proceed xmlns='%s'/>" % NS_TLS)
        stream.socket.recv(100)
        stream.send(b"this is no TLS record at all, is it")
        raise Closed("enough")


@case("after a broken handshake nothing is said in clear", "optional.example")
def no_downgrade(room):
    server = room.server("optional.example", kind=BrokenTls)
    room.ping_soon("optional.example")
    line = room.outcome("optional.example", "out")
    time.sleep(0.5)
    return failed_as(line, "tls-failed", "tls-closed") + must(
        not server.wait_for("result", 0.1), "db:result in clear after the failure")


@case("a server that ends in the handshake: tls-closed", "strict.example")
def closed_handshake(room):
    class Closing(Server):
        def on_starttls(self, stream, _element):
            stream.send("<proceed xmlns='%s'/>" % NS_TLS)
            stream.socket.recv(100)
            raise Closed("enough")

    room.server("strict.example", kind=Closing)
    room.ping_soon("strict.example")
    return failed_as(room.outcome("strict.example", "out"), "tls-closed")


@case("starttls refused by <failure/>", "strict.example")
def starttls_refused(room):
    class Refusing(Server):
        def on_starttls(self, stream, _element):
            stream.send("<failure xmlns='%s'/></stream:stream>" % NS_TLS)
            raise Closed("enough")

    room.server("strict.example", kind=Refusing)
    room.ping_soon("strict.example")
    return failed_as(room.outcome("strict.example", "out"), "starttls-refused")


@case("a server without TLS where the row needs it: tls-not-offered, soon", "strict.example")
def no_tls(room):
    room.server("strict.example", tls=False)
    begun = time.monotonic()
    room.ping_soon("strict.example")
    line = room.outcome("strict.example", "out", 8)
    return failed_as(line, "tls-not-offered", "starttls-refused") + must(
        time.monotonic() - begun < 7, "took too long")


@case("a server that offers nothing after TLS: nothing-offered", "strict.example")
def nothing_offered(room):
    room.server("strict.example", external=False, dialback=False)
    room.ping_soon("strict.example")
    return failed_as(room.outcome("strict.example", "out"), "nothing-offered", "sasl-not-offered")


@case("features without end are cut off", "strict.example")
def endless_features(room):
    class Endless(Server):
        def features(self, stream):
            return "<stream:features>" + "<x xmlns='a:b'/>" * 100000

    room.server("strict.example", kind=Endless)
    room.ping_soon("strict.example")
    return failed_as(room.outcome("strict.example", "out"), "limit-exceeded")


@case("no features: features-timeout", "strict.example")
def no_features(room):
    class Mute(Server):
        def features(self, stream):
            return " "

    room.server("strict.example", kind=Mute)
    room.ping_soon("strict.example", 8)
    return failed_as(room.outcome("strict.example", "out"), "features-timeout",
                     "negotiation-timeout")


@case("no header: header-timeout", "strict.example")
def no_header(room):
    class Silent(Server):
        def on_stream(self, stream, header):
            time.sleep(NEGOTIATE + SLACK + 1)

    room.server("strict.example", kind=Silent)
    room.ping_soon("strict.example", 8)
    return failed_as(room.outcome("strict.example", "out"), "header-timeout",
                     "negotiation-timeout")


@case("EXTERNAL that is never answered ends at the deadline", "strict.example")
def mute_auth(room):
    class Mute(Server):
        def on_auth(self, stream, _element):
            return

    room.server("strict.example", kind=Mute)
    room.ping_soon("strict.example", 8)
    line = room.outcome("strict.example", "out")
    return must(line.get("event") == "failed", outcome.line(line) or "no line")


@case("<success/> that nobody asked for is not believed", "strict.example")
def early_success(room):
    class Early(Server):
        def features(self, stream):
            text = Server.features(self, stream)
            return "<success xmlns='%s'/>" % NS_SASL if stream.tls else text

    server = room.server("strict.example", kind=Early)
    room.ping_soon("strict.example", 6)
    line = room.outcome("strict.example", "out")
    return must(line.get("event") == "failed", outcome.line(line) or "no line") + must(
        not server.wait_for("iq", 0.2), "a stanza was sent")


@case("a db:result valid before our key is not believed", "plain.example")
def early_valid(room):
    class Early(Server):
        def on_stream(self, stream, header):
            stream.remote, stream.local = header.get("from"), header.get("to")
            stream.header(stream.local, stream.remote, id="early")
            stream.send("<db:result from='plain.example' to='%s' type='valid'/>" % OURS)
            stream.send(self.features(stream))

        def on_result(self, stream, element):
            return

    server = room.server("plain.example", tls=False, kind=Early)
    room.ping_soon("plain.example", 6)
    line = room.outcome("plain.example", "out")
    return must(line.get("event") == "failed", outcome.line(line) or "no line") + must(
        not server.wait_for("iq", 0.2), "a stanza was sent")


@case("a db:result answer for another pair is not believed", "plain.example")
def other_valid(room):
    class Other(Server):
        def on_result(self, stream, element):
            for source, target in (("honest.example", OURS), ("plain.example", SECOND)):
                stream.send("<db:result from='%s' to='%s' type='valid'/>" % (source, target))

    server = room.server("plain.example", tls=False, kind=Other)
    room.ping_soon("plain.example", 6)
    line = room.outcome("plain.example", "out")
    return must(line.get("event") == "failed", outcome.line(line) or "no line") + must(
        not server.wait_for("iq", 0.2), "a stanza was sent")


@case("db:result invalid: dialback-invalid", "plain.example")
def our_key_invalid(room):
    class Denying(Server):
        def on_result(self, stream, element):
            stream.send("<db:result from='plain.example' to='%s' type='invalid'/>" % OURS)

    room.server("plain.example", tls=False, kind=Denying)
    room.ping_soon("plain.example", 6)
    return failed_as(room.outcome("plain.example", "out"), "dialback-invalid")


def key_is_nowhere(room, key):
    """In no log line, no trace file, and nothing that the daemon tells."""
    faults = must(len(key) == 64, "no key of ours came:", key)
    told = [("the log", room.ours.log())]
    for name in sorted(os.listdir(room.traces)):
        with open(os.path.join(room.traces, name), encoding="utf-8", errors="replace") as file:
            told.append((name, file.read()))
    for form in ("jsonl", "ladder", "html"):
        asked = subprocess.run([program("parley"), "trace", "last", "-c", room.ours.file, "--count", "5",
                                "-vvv", "--format", form], capture_output=True, text=True, check=False,
                               timeout=60)
        told.append(("trace last as " + form, asked.stdout + asked.stderr))
    told.append(("streams", room.ours.command("streams", "--json").stdout))
    for name, text in told:
        faults += must(key[:16] not in text, "the key stands in", name, ":",
                       text[max(text.find(key[:16]) - 300, 0):][:400])
    return faults, told


@case("our key said again in errors and attributes stays masked", "plain.example")
def key_said_again(room):
    class Parrot(Server):
        def on_result(self, stream, element):
            key = element.text
            keys.append(key)
            stream.send("<db:result from='plain.example' to='%s' type='error' id='%s'>"
                        "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:"
                        "xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>%s</text>"
                        "</error></db:result>" % (OURS, key, key))
            stream.send("<db:%s/><message from='plain.example' to='%s' id='%s'><body>it is %s, %s"
                        "</body></message>" % ("k" + key[:30], OURS, key, key, key[:20]))
            stream.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-"
                        "streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>%s no %s</text>"
                        "<x xmlns='x:%s'>%s</x></stream:error></stream:stream>" %
                        ("-" * 200, key, key, key[:24]))

    keys = []
    room.server("plain.example", tls=False, kind=Parrot)
    room.ping_soon("plain.example", 6)
    line = room.outcome("plain.example", "out")
    wait_until(lambda: any("plain.example" in name for name in os.listdir(room.traces)), 5)
    room.end_case()
    faults, told = key_is_nowhere(room, keys[0] if keys else "")
    shown = "".join(text for name, text in told if "plain.example" in name)
    return faults + must(line.get("event") == "failed", outcome.line(line) or "no line") + must(
        "it is [key" in shown or "type='error' id='[key#" in shown,
        "no trace shows where the key was said:", shown[-2500:])


@case("a key of the peer said again in a message stays masked", "plain.example")
def their_key_said_again(room):
    key = "0f" * 32

    class Believer(Server):
        def on_verify(self, stream, element):
            stream.send("<db:verify from='plain.example' to='%s' id='%s' type='valid'/>" %
                        (OURS, element.get("id")))

    room.server("plain.example", tls=False, kind=Believer)
    stream = room.clear("plain.example")
    stream.send("<db:result from='plain.example' to='%s'>%s</db:result>" % (OURS, key))
    answer = stream.expect("result")
    # An error is not answered: an answer would say its id in another negotiation,
    # which knows nothing of this key.
    stream.send("<message type='error' from='plain.example' to='%s' id='%s'><body>it is %s</body>"
                "</message>" % (OURS, key, key))
    stream.send("<stream:error><undefined-condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>%s</text></stream:error>"
                "</stream:stream>" % key)
    stream.rest(3)
    room.end_case()
    faults, told = key_is_nowhere(room, key)
    shown = "".join(text for name, text in told if "plain.example" in name)
    return faults + must(answer.get("type") == "valid", answer.raw) + must(
        "it is [key#" in shown, "no trace shows the message:", shown[-2500:])


@case("a peer before 1.0 gets dialback", "optional.example")
def old_server(room):
    class Old(Server):
        def on_stream(self, stream, header):
            stream.remote, stream.local = header.get("from"), header.get("to")
            stream.header(None, None, version=None, id="old%d" % stream.number)

    room.server("optional.example", tls=False, kind=Old)
    room.ping_soon("optional.example", 6)
    return negotiated_as(room.outcome("optional.example", "out"), TCP_DIALBACK)


@case("a peer before 1.0 where TLS is needed fails soon", "strict.example")
def old_server_strict(room):
    class Old(Server):
        def on_stream(self, stream, header):
            stream.remote, stream.local = header.get("from"), header.get("to")
            stream.header(None, None, version=None, id="old%d" % stream.number)

    room.server("strict.example", tls=False, kind=Old)
    room.ping_soon("strict.example", 8)
    return failed_as(room.outcome("strict.example", "out", 8), "tls-not-offered",
                     "negotiation-timeout", "starttls-refused")


@case("a name that leads to ourselves is no loop", "loop.example")
def loop(room):
    status, said = room.ours.ping(OURS, "loop.example", 6)
    line = room.outcome("loop.example", "out")
    return must(status != 0, said) + failed_as(line, "from-local", "host-unknown",
                                               "peer-stream-error")


# Dialback, dialling in.

@case("a peer before 1.0 dials in by dialback", "optional.example")
def old_client(room):
    room.server("optional.example", tls=False)
    stream = room.dial()
    stream.header(None, None, version=None)
    header = stream.expect("stream")
    stream.result("optional.example", OURS)
    answer = stream.expect("result", "error")
    return must(header.get("id"), "no id in the header") + must(
        answer.get("type") == "valid", answer.raw) + negotiated_as(
            room.outcome("optional.example", "in"), TCP_DIALBACK)


@case("a denied key is invalid, and the outcome says so", "plain.example")
def denied_key(room):
    class Denying(Server):
        def on_verify(self, stream, element):
            stream.send("<db:verify from='%s' to='%s' id='%s' type='invalid'/>" %
                        (element.get("to"), element.get("from"), element.get("id")))

    room.server("plain.example", tls=False, kind=Denying)
    stream = room.clear("plain.example")
    stream.result("plain.example", OURS)
    answer = stream.expect("result", "error")
    return must(answer.get("type") == "invalid", answer.raw) + failed_as(
        room.outcome("plain.example", "in"), "verify-invalid")


@case("an answer with another id, pair or stream verifies nothing", "plain.example")
def wrong_verify(room):
    class Confused(Server):
        def on_verify(self, stream, element):
            there, here, name = element.get("to"), element.get("from"), element.get("id")
            for source, target, id in ((there, here, name + "x"), (there, SECOND, name),
                                       ("honest.example", here, name), (here, there, name)):
                stream.send("<db:verify from='%s' to='%s' id='%s' type='valid'/>" %
                            (source, target, id))

    room.server("plain.example", tls=False, kind=Confused)
    stream = room.clear("plain.example")
    stream.result("plain.example", OURS)
    stream.socket.settimeout(NEGOTIATE + SLACK + 2)
    try:
        answer = stream.expect("result", "error")
    except Closed:
        answer = None
    return must(not answer or answer.get("type") != "valid", "accepted: %s" % answer)


@case("a verify that is never answered times out, and others go on", "plain.example")
def mute_verify(room):
    class Mute(Server):
        def on_verify(self, stream, element):
            return

    room.server("plain.example", tls=False, kind=Mute)
    stream = room.clear("plain.example")
    stream.result("plain.example", OURS)
    faults = must(room.honest() < 3, "the honest peer had to wait")
    line = room.outcome("plain.example", "in", 15)
    return faults + failed_as(line, "verify-timeout", "negotiation-timeout")


@case("an authoritative server that is not there: verify-unreachable", "plain.example")
def no_authority(room):
    stream = room.clear("plain.example")
    stream.result("plain.example", OURS)
    answer = stream.expect("result", "error")
    return must(answer.get("type") == "error", answer.raw) + failed_as(
        room.outcome("plain.example", "in"), "verify-unreachable")


@case("many db:results for one mute domain are bounded", "plain.example")
def verify_flood(room):
    class Mute(Server):
        def on_verify(self, stream, element):
            return

    server = room.server("plain.example", tls=False, kind=Mute)
    streams = []
    for _ in range(25):
        try:
            stream = room.clear("plain.example")
            stream.result("plain.example", OURS)
            streams.append(stream)
        except (Closed, OSError):
            break
    time.sleep(0.5)
    return must(len(server.streams) <= 4, "%d verify connections to one domain" %
                len(server.streams)) + must(room.honest() < 3, "the honest peer had to wait")


@case("simultaneous dialback: verify is answered while our own waits", "plain.example")
def simultaneous(room):
    done = threading.Event()

    class Waiting(Server):
        def on_result(self, stream, element):
            done.wait(4)
            Server.on_result(self, stream, element)

    room.server("plain.example", tls=False, kind=Waiting)
    room.ping_soon("plain.example", 8)
    stream = room.clear("plain.example")
    stream.result("plain.example", OURS)
    answer = stream.expect("result", "error")
    done.set()
    return must(answer.get("type") == "valid", answer.raw) + negotiated_as(
        room.outcome("plain.example", "out"), TCP_DIALBACK) + negotiated_as(
            room.outcome("plain.example", "in"), TCP_DIALBACK)


@case("several pairs on one stream, one of them denied", "plain.example", "plain2.example")
def several_pairs(room):
    class Denying(Server):
        def on_verify(self, stream, element):
            stream.send("<db:verify from='%s' to='%s' id='%s' type='invalid'/>" %
                        (element.get("to"), element.get("from"), element.get("id")))

    good = room.server("plain.example", tls=False)
    room.server("plain2.example", tls=False, kind=Denying)
    stream = room.dialback("plain.example")
    stream.result("plain.example", SECOND)
    second = stream.expect("result", "error")
    stream.result("plain2.example", OURS)
    third = stream.expect("result", "error")
    stream.iq("plain.example", SECOND, "both")
    answer = good.wait_for("iq", 5, id="both", type="result")
    faults = must(second.get("type") == "valid", second.raw)
    faults += must(third.get("type") in ("invalid", "error"), third.raw)
    faults += must(answer, "the second pair's ping was not answered")
    stream.iq("plain2.example", OURS, "denied")
    return faults + ended(stream, "invalid-from", SLACK)


@case("our authoritative answers: valid for our key, invalid for another", "plain.example")
def authoritative(room):
    server = room.server("plain.example", tls=False)
    room.ping_soon("plain.example")
    ours = server.wait_for("result", 5)
    if not ours:
        return ["no db:result came"]
    stream = room.clear("plain.example")
    answers = []
    name = next(element for _, _, element in server.seen if element.name == "result")
    number = next(number for _, number, element in server.seen if element is name)
    for key in (ours.text, "0" * 64):
        stream.send("<db:verify from='plain.example' to='%s' id='peer%d'>%s</db:verify>" %
                    (OURS, number, key))
        answers.append(stream.expect("verify", "error").get("type"))
    stream.send("<db:verify from='other.example' to='%s' id='peer%d'>%s</db:verify>" %
                (OURS, number, ours.text))
    answers.append(stream.expect("verify", "error").get("type"))
    return must(answers[:2] == ["valid", "invalid"] and answers[2] in ("invalid", "error"),
                answers)


# Load.

@case("a peer that never reads is cut off, and memory stays bounded", "strict.example")
def never_reads(room):
    class Deaf(Server):
        def on_stream(self, stream, header):
            Server.on_stream(self, stream, header)
            if stream.authenticated:
                time.sleep(20)

    room.server("strict.example", kind=Deaf)
    stream = room.authenticated("strict.example")
    before = memory(room)
    text = "".join("<iq type='get' from='strict.example' to='%s' id='n%d'>"
                   "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>" % (OURS, number)
                   for number in range(200))
    stream.socket.settimeout(1)
    sent = 0
    end = time.monotonic() + 6
    try:
        while time.monotonic() < end and sent < 300:
            stream.send(text)
            sent += 1
    except OSError:
        pass
    grown = memory(room) - before
    return must(grown < 64 << 20, "%d MiB more after %d thousand requests" %
                (grown >> 20, sent // 5)) + must(room.honest() < 3, "the honest peer had to wait")


def memory(room):
    """Resident bytes of parleyd."""
    with open("/proc/%d/statm" % room.ours.process.child.pid, encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@case("a flood of connections does not keep an honest newcomer out")
def flood(room):
    held = []
    for _ in range(400):
        try:
            held.append(room.dial(timeout=1))
        except OSError:
            break
    try:
        seconds = room.honest(source="127.0.77.7")
        return must(seconds < 3, "the newcomer had to wait %.1f s" % seconds)
    finally:
        for stream in held:
            stream.close()


@case("connections per address are limited")
def per_address(room):
    held, refused = [], 0
    for _ in range(80):
        try:
            stream = room.dial(source="127.0.77.8", timeout=1)
            held.append(stream)
        except OSError:
            refused += 1
    time.sleep(0.3)
    for stream in held:
        stream.socket.settimeout(0.01)
        try:
            stream._fill()
            refused += 1
        except Closed as closed:
            refused += not str(closed).startswith("nothing came")
    for stream in held:
        stream.close()
    return must(refused >= 25, "%d of 80 refused; the limit is 50" % refused)


# Reload and end; these come last.

@case("a reload keeps streams that are legal and closes the others", "strict.example",
      "plain.example")
def reload(room):
    server = room.server("strict.example")
    room.server("plain.example", tls=False)
    legal = room.authenticated("strict.example")
    illegal = room.dialback("plain.example")
    ours = room.ours
    keep = list(ours.partners)
    ours.partners = [section.replace("tls = not-supported  sasl = not-supported",
                                     "tls = required  sasl = required")
                     if section.startswith('partner "plain.example"') else section
                     for section in keep]
    ours.write()
    ours.reload()
    faults = ended(illegal, seconds=4)
    legal.iq("strict.example", OURS, "afterreload")
    faults += must(server.wait_for("iq", 5, id="afterreload"), "the legal stream is dead")
    ours.partners = keep
    ours.write()
    ours.reload()
    return faults


@case("a faulty file leaves the old configuration in force", "strict.example")
def faulty_reload(room):
    ours = room.ours
    with open(ours.file, "a", encoding="utf-8") as file:
        file.write('partner "bad.example" { tls = not-supported  sasl = required  dialback = no }\n')
    ours.reload()
    time.sleep(0.5)
    faults = must(ours.process.running(), "parleyd ended") + must(
        room.honest() < 3, "the honest peer had to wait")
    done = ours.command("reload")
    faults += must(done.returncode != 0, "`parley reload` says it went well")
    ours.write()
    return faults


@case("SIGTERM says system-shutdown and ends in time", "strict.example")
def shutdown(room):
    stream = room.authenticated("strict.example")
    reader = []
    thread = threading.Thread(target=lambda: reader.append(stream.rest(6)))
    thread.start()
    begun = time.monotonic()
    status = room.ours.stop()
    seconds = time.monotonic() - begun
    thread.join(8)
    text = reader[0] if reader else ""
    return must(status == 0, "status %s" % status) + must(
        seconds < 4, "took %.1f s; drain is 2" % seconds) + must(
            "system-shutdown" in text and "</stream:stream>" in text, text or "nothing was said")


ROWS_OF = {
    "strict.example": 7, "clear.example": 9, "optional.example": 9, "plain.example": 17,
    "plain2.example": 17, "honest.example": 2, "loop.example": 7,
}
DOMAINS = [*ROWS_OF, "stranger.example"]


def main():
    tap = Tap()
    words = sys.argv[1:]
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
    with Laboratory() as lab:
        lab.names.server(OURS, "127.0.0.1")
        for domain in DOMAINS:
            lab.names.server(domain, "127.0.50.%d" % (DOMAINS.index(domain) + 1)
                             if domain != "loop.example" else "127.0.0.1")
        lab.names.start(lab)
        ours = Parleyd(
            lab, "main", {OURS: "valid", SECOND: "valid"},
            [partner(domain, ROWS[row]) for domain, row in ROWS_OF.items()],
            timeouts="dns = 3  connect = 2  negotiate = %d  drain = 2" % NEGOTIATE,
            limits="connections-per-address = 50",
            more='trace { directory = "%s"  raw = all }' % lab.path("traces"))
        room = Room(lab, ours, lab.path("traces"))
        for name, function, _ in CASES:
            if words and not any(word in name for word in words):
                continue
            run_case(tap, room, name, function)
        if ours.process in lab.running:
            status = ours.stop()
            tap.case(status == 0, "parleyd ends with status 0", "status %s" % status)
        tap.case(not ours.findings(), "no sanitizer finding", *ours.findings())
    return tap.done()


def run_case(tap, room, name, function):
    """One case; parleyd must still run and serve an honest peer afterwards."""
    size = room.ours.mark
    try:
        faults = function(room)
    except (Closed, OSError, AttributeError, StopIteration, IndexError) as fault:
        faults = ["%s: %s" % (type(fault).__name__, fault)]
    room.end_case()
    if function is not shutdown and not room.ours.process.running():
        faults.append("parleyd has ended: " + room.ours.log()[-1500:])
        room.ours.start()
    if faults:
        faults.append("log: " + room.ours.log()[size:][-2500:])
    tap.case(not faults, name, *faults)


sys.exit(main())
