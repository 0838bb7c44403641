#!/usr/bin/env python3
"""Where parleyd finds a domain's server: SRV records of both kinds, addresses,
DANE, and every way in which they can be wrong. Real servers dial in by direct
TLS and IPv6."""

import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

from lab import outcome, prosody, start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.peer import Server, server_context
from lab.policy import NONE, ROWS, SASL, TLS_DIALBACK
from lab.tap import Tap
from lab.wire import Wire

OURS = "alpha.example"
PEER, SILENT, CLOSED = "127.0.30.1", "127.0.30.2", "127.0.30.3"


class Expect:
    """What a dial-out to a domain must come to."""

    def __init__(self, method=SASL, port=None, code=None, status=None, certificate=None,
                 row=2, within_ms=4000):
        self.method, self.port, self.code, self.status = method, port, code, status
        self.certificate, self.row, self.within_ms = certificate, row, within_ms

    def differs(self, lines, status):
        """What is not as expected, in words; an empty list is good."""
        if not lines:
            return ["no outcome line"]
        line, wrong = lines[-1], []
        if line.get("method") != self.method:
            wrong.append("method %s, not %s" % (line.get("method"), self.method))
        if self.port and not str(line.get("addr")).endswith(":%d" % self.port):
            wrong.append("addr %s, not port %d" % (line.get("addr"), self.port))
        if self.code and line.get("code") not in self.code.split("|"):
            wrong.append("code %s, not %s" % (line.get("code"), self.code))
        if self.certificate and line.get("cert") != self.certificate:
            wrong.append("cert %s, not %s" % (line.get("cert"), self.certificate))
        if self.status is not None and status != self.status:
            wrong.append("exit status %d, not %d" % (status, self.status))
        if line.get("ms", 0) > self.within_ms:
            wrong.append("took %s ms" % line["ms"])
        return wrong + ([outcome.line(line)] if wrong else [])


def failing(code, status, **more):
    return Expect(NONE, code=code, status=status, **more)


CASES = {
    "srv.example": Expect(port=5269),
    "both.example": Expect(port=5270),
    "direct.example": Expect(port=5270),
    "later-direct.example": Expect(port=5269),
    "nosrv.example": Expect(port=5269),
    "cname.example": Expect(port=5269),
    "none.example": failing("dns-no-service", 3),
    "no-direct.example": Expect(port=5269),
    "dead-first.example": Expect(port=5269),
    "clear-direct.example": Expect(port=5269),
    "silent-first.example": Expect(port=5269, within_ms=6000),
    "refused.example": failing("tcp-refused", 4),
    "unreachable.example": failing("tcp-unreachable", 4),
    "no-address.example": failing("dns-no-address", 3),
    "nx.example": failing("dns-no-such-domain", 3),
    "unsigned.example": Expect(port=5269),
    "bogus.example": failing("dns-bogus", 3),
    "v6.example": Expect(port=5269),
    "v6-dead.example": Expect(port=5269),
    "dane.example": Expect(port=5269, certificate="valid/dane"),
    "dane-wrong.example": failing("certificate-dane", 5, certificate="invalid:dane-mismatch"),
    "dane-relaxed.example": Expect(TLS_DIALBACK, row=7, certificate="invalid:dane-mismatch"),
    "connect.example": Expect(port=5277),
    "xn--bcher-kva.example": Expect(port=5269),
    "no-tls.example": Expect("tcp-dialback", port=5269, row=17),
}
# A name as a person types it, and as it stands in the log and on the stream.
TYPED = {"xn--bcher-kva.example": "Bücher.Example"}
SHOWN = {"xn--bcher-kva.example": "bücher.example"}


def fill(names, certificates):
    for domain in ("srv", "both", "no-direct", "dead-first", "clear-direct", "silent-first",
                   "dane", "dane-wrong", "dane-relaxed", "xn--bcher-kva"):
        names.address("xmpp.%s.example" % domain, PEER)
    for domain in ("srv", "dane", "dane-wrong", "dane-relaxed", "xn--bcher-kva"):
        names.service(domain + ".example", "xmpp.%s.example" % domain, 5269)
    names.service("both.example", "xmpp.both.example", 5270, "xmpps-server", 1)
    names.service("both.example", "xmpp.both.example", 5269, priority=2)
    names.address("xmpp.direct.example", PEER)
    names.service("direct.example", "xmpp.direct.example", 5270, "xmpps-server")
    names.address("xmpp.later-direct.example", PEER)
    names.service("later-direct.example", "xmpp.later-direct.example", 5270, "xmpps-server", 9)
    names.service("later-direct.example", "xmpp.later-direct.example", 5269, priority=3)
    names.address("nosrv.example", PEER)
    names.add("cname.example", "CNAME", "nosrv.example.")
    names.address("none.example", PEER)
    names.no_service("none.example")
    names.no_service("none.example", "xmpps-server")
    names.no_service("no-direct.example", "xmpps-server")
    names.service("no-direct.example", "xmpp.no-direct.example", 5269)
    names.address("dead.example", CLOSED)
    names.service("dead-first.example", "dead.example", 5269, priority=1)
    names.service("dead-first.example", "xmpp.dead-first.example", 5269, priority=2)
    names.service("clear-direct.example", "xmpp.clear-direct.example", 5269, "xmpps-server", 1)
    names.service("clear-direct.example", "xmpp.clear-direct.example", 5269, priority=2)
    names.address("silent.example", SILENT)
    names.service("silent-first.example", "silent.example", 5269, priority=1)
    names.service("silent-first.example", "xmpp.silent-first.example", 5269, priority=2)
    names.service("refused.example", "dead.example", 5269)
    names.address("unreachable.example", "192.0.2.1")
    names.service("no-address.example", "nowhere.example", 5269)
    names.make_unsigned("unsigned.example")
    names.address("unsigned.example", PEER)
    names.address("bogus.example", PEER)
    names.make_bogus("bogus.example")
    names.address("v6.example", "::1")
    names.address("v6-dead.example", PEER, "fd00:1::1")
    names.address("no-tls.example", PEER)
    # A row without TLS has no use for this one.
    names.service("no-tls.example", "xmpp.both.example", 5270, "xmpps-server", 1)
    names.service("no-tls.example", "xmpp.both.example", 5269, priority=2)
    for domain in ("dane", "dane-wrong", "dane-relaxed"):
        variant = "self-signed" if domain == "dane" else "valid"
        names.tlsa("xmpp.%s.example" % domain, 5269,
                   certificates.get(domain + ".example", variant)[0], wrong=domain != "dane")


class Peers:
    """Scripted servers for all domains: the certificate goes by the name that
    the stream was opened to, as few clients send an SNI."""

    def __init__(self, certificates):
        self.contexts = {
            domain: server_context(certificates.get(
                domain, "self-signed" if domain == "dane.example" else "valid"))
            for domain in CASES if CASES[domain].method != NONE or "dane" in domain}
        ports = [(PEER, 5269, False), (PEER, 5270, True), (PEER, 5277, False),
                 ("::1", 5269, False)]
        self.servers = [self.server(*place) for place in ports]

    def server(self, address, port, direct):
        context = self.contexts["srv.example"]
        if direct:
            def choose(connection, name, _context):
                connection.context = self.contexts.get(name, context)
            context = server_context_with_names(context, choose)
        server = Server(list(CASES), address, port, context=context, direct=direct)

        def on_starttls(stream, _element):
            stream.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            stream.wrap(self.contexts.get(stream.local, context), server=True)

        def features(stream):
            text = Server.features(server, stream)
            if stream.local == "no-tls.example":
                text = re.sub("<starttls.*</starttls>", "", text)
            return text

        server.on_starttls, server.features = on_starttls, features
        return server


def server_context_with_names(context, choose):
    context.sni_callback = choose
    return context


def silent_listener():
    """A port whose queue is full: SYNs get no answer."""
    listener = socket.socket()
    listener.bind((SILENT, 5269))
    listener.listen(0)
    held = [listener]
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex((SILENT, 5269))
        held.append(filler)
    return held


def dial_out(tap, ours, wire):
    def one(domain):
        status, _ = ours.ping(OURS, TYPED.get(domain, domain), timeout=6)
        return status

    with ThreadPoolExecutor(len(CASES)) as pool:
        statuses = dict(zip(CASES, pool.map(one, CASES)))
    for domain, expect in CASES.items():
        lines = ours.wait_outcome(3, local=OURS, remote=SHOWN.get(domain, domain),
                                  direction="out")
        wrong = expect.differs(lines, statuses[domain])
        tap.case(not wrong, "dial %s: %s%s" % (
            domain, expect.method, " at %d" % expect.port if expect.port else
            " " + (expect.code or "")), *wrong)
    direct = wire.find(server=(PEER, 5270))
    tap.case(direct and all(one.direct_tls() and one.application_protocol() for one in direct),
             "direct TLS begins with a ClientHello that offers ALPN xmpp-server")
    tap.case(any(one.server_name() == "direct.example" for one in direct),
             "its SNI is the domain", [one.server_name() for one in direct])
    tap.case(not wire.find(server=(PEER, 5269), initiating=OURS, receiving="none.example"),
             'an SRV target of "." is not dialled')


def refused_addresses(tap, lab):
    """Loopback addresses for remote domains are refused unless allowed."""
    strict = Parleyd(lab, "strict", {OURS: "valid"}, [partner("*", ROWS[7])],
                     address="127.0.0.2", start=False)
    restart(strict, "allow-loopback = yes", "allow-loopback = no")
    status, _ = strict.ping(OURS, "srv.example", timeout=4)
    lines = strict.outcomes(direction="out", remote="srv.example")
    tap.case(status == 3 and lines and lines[-1].get("stage") == "dns",
             "allow-loopback = no refuses a loopback address from DNS",
             "status %d" % status, *map(outcome.line, lines))
    strict.stop()
    tap.case(not strict.findings(), "no finding", *strict.findings())


def no_resolver(tap, lab):
    """A resolver that does not answer is our fault, and is named so."""
    path = lab.path("nowhere") + "/resolv.conf"
    with open(path, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.99\n")
    lost = Parleyd(lab, "lost", {OURS: "valid"}, [partner("*", ROWS[7])], address="127.0.0.3",
                   start=False)
    restart(lost, "/etc/resolv.conf", path)
    status, _ = lost.ping(OURS, "srv.example", timeout=8)
    lines = lost.outcomes(direction="out", remote="srv.example")
    tap.case(status == 3 and lines and lines[-1].get("code") == "dns-resolver-unreachable",
             "a dead resolver is named", "status %d" % status, *map(outcome.line, lines))
    lost.stop()
    tap.case(not lost.findings(), "no finding", *lost.findings())


def restart(instance, old, new):
    """Start an instance with one thing changed in its configuration."""
    text = instance.configuration()
    assert old in text, old
    instance.whole = text.replace(old, new)
    instance.write()
    instance.start()


def dial_in(tap, lab, ours):
    """Prosody dials us by direct TLS and by IPv6."""
    if prosody.available():
        tap.skip("Prosody dials in", "prosody is not installed")
        return
    host = "p.prosody.example"
    peer = prosody.Prosody(lab, "in", "127.0.31.1", prosody.POLICIES["all"], {host: "valid"},
                           direct=5270)
    for target, want in (("direct-in.example", 5270), ("v6-in.example", 5269)):
        answered, said = peer.ping(host, target)
        lines = ours.outcomes(local=target, remote=host, direction="in")
        good = answered and lines and lines[-1].get("method") == SASL
        tap.case(good, "Prosody dials %s at port %d" % (target, want), said,
                 *map(outcome.line, lines))
    lines = ours.outcomes(local="v6-in.example", remote=host, direction="in")
    tap.case(lines and str(lines[-1].get("addr")).startswith("[::1]:"),
             "an IPv6 address is written in brackets", *map(outcome.line, lines))
    lines = ours.outcomes(local="direct-in.example", remote=host, direction="out")
    tap.case(lines and str(lines[-1].get("addr")) == "127.0.31.1:5270",
             "we dial Prosody by direct TLS", *map(outcome.line, lines))


def main():
    tap = Tap()
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        fill(lab.names, lab.certificates)
        lab.names.server(OURS, "127.0.0.1")
        lab.names.service("direct-in.example", "xmpp." + OURS, 5270, "xmpps-server")
        lab.names.address("six.example", "::1")
        lab.names.service("v6-in.example", "six.example", 5279)
        lab.names.server("p.prosody.example", "127.0.31.1", 5269, 5270)
        lab.names.start(lab)
        peers = Peers(lab.certificates)
        held = silent_listener()
        wire = Wire().start()
        partners = [partner(domain, ROWS[expect.row], **(
            {"connect": PEER + ":5277"} if domain == "connect.example" else {}))
            for domain, expect in CASES.items()]
        ours = Parleyd(lab, "main", {name: "valid" for name in (
            OURS, "direct-in.example", "v6-in.example")},
            [*partners, partner("p.prosody.example", ROWS[7])], listen=["[::1]:5279 starttls"])
        dial_out(tap, ours, wire)
        dial_in(tap, lab, ours)
        refused_addresses(tap, lab)
        no_resolver(tap, lab)
        status = ours.stop()
        tap.case(status == 0 and not ours.findings(), "parleyd ends with status 0 and no finding",
                 "status %s" % status, *ours.findings())
        for server in peers.servers:
            server.stop()
        del held
    return tap.done()


sys.exit(main())
