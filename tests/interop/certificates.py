#!/usr/bin/env python3
"""Certificates of every kind, both directions, both ways around: the peer's
as parleyd judges it, and parleyd's own as Prosody and ejabberd judge it."""

import sys
from concurrent.futures import ThreadPoolExecutor

from lab import ejabberd, outcome, prosody, start
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.peer import Closed, Server, Stream, client_context, server_context
from lab.policy import NONE, ROWS, SASL, TLS_DIALBACK
from lab.tap import Tap

OURS = "alpha.example"
STRICT, RELAXED = 2, 7      # rows: SASL over TLS only; TLS Dialback too

# variant: what parleyd says of it as `cert`, and the codes of row 2.
SOUND = {variant: "valid" for variant in (
    "valid", "all-sans", "valid-rsa", "dns-only", "srv-only", "xmppaddr-only", "wildcard",
    "server-eku-only", "no-eku", "intermediate")}
BAD = {
    "cn-only": "invalid:wrong-name", "wrong-name": "invalid:wrong-name",
    "prefix-name": "invalid:wrong-name", "nul-name": "invalid:wrong-name",
    "expired": "invalid:expired", "not-yet-valid": "invalid:not-yet-valid",
    "self-signed": "invalid:self-signed",
    "unknown-ca": "invalid:unknown-ca",
    "chain-missing": "invalid:chain-incomplete", "client-eku-only": "invalid:purpose",
    "weak-rsa1024": "invalid:weak", "sha1-sig": "invalid:weak",
}
CODES = {
    "wrong-name": "certificate-wrong-name", "expired": "certificate-expired",
    "not-yet-valid": "certificate-not-yet-valid", "purpose": "certificate-purpose",
    "self-signed": "certificate-unknown-ca|certificate-invalid",
    "unknown-ca": "certificate-unknown-ca", "chain-incomplete": "certificate-unknown-ca",
    "weak": "certificate-invalid",
}
# What OpenSSL in a real server does not load; a scripted peer does.
SCRIPTED = "weak-rsa1024", "sha1-sig"

# Who takes our certificate for EXTERNAL (observed; surprises 1, 17 and 18).
PROSODY_TAKES = {"valid", "all-sans", "valid-rsa", "dns-only", "srv-only", "cn-only",
                 "wildcard", "server-eku-only", "no-eku", "intermediate"}
# ejabberd reads the CN too, which tools/make-certs sets to the domain.
EJABBERD_TAKES = {"valid", "valid-rsa", "dns-only", "cn-only", "wildcard", "client-eku-only",
                  "no-eku", "intermediate", "srv-only", "nul-name"}
# Our codes where our own certificate is the cause.
OWN = {
    "expired": {"own-certificate-expired"},
    "client-eku-only": {"own-certificate-purpose", "own-certificate-rejected", "sasl-not-offered",
                        "sasl-refused", "nothing-offered"},
    "server-eku-only": {"own-certificate-purpose"},
}
OWN_ANY = {"own-certificate-rejected", "sasl-not-offered", "sasl-refused", "nothing-offered",
           "peer-stream-error", "peer-closed"}


def domain(variant, row, kind):
    return "%s.r%d.%s.example" % (variant, row, kind)


def expected(variant, row):
    """(method, cert, codes) for a peer with that certificate."""
    if variant in SOUND:
        return SASL, "valid", None
    verdict = BAD[variant]
    if row == RELAXED:
        return TLS_DIALBACK, verdict, None
    return NONE, verdict, CODES[verdict.split(":")[1]].split("|")


def judge(tap, name, lines, method, verdict, codes):
    wrong = [] if lines else ["no outcome line"]
    if lines:
        line = lines[-1]
        if line.get("method") != method:
            wrong.append("method %s, not %s" % (line.get("method"), method))
        if verdict and line.get("cert") != verdict:
            wrong.append("cert %s, not %s" % (line.get("cert"), verdict))
        if codes and line.get("code") not in codes:
            wrong.append("code %s, not one of %s" % (line.get("code"), sorted(codes)))
        if line.get("ms", 0) > 6000:
            wrong.append("took %s ms" % line["ms"])
    tap.case(not wrong, name, *wrong, *(map(outcome.line, lines) if wrong else ()))


# The peer's certificate.

def scripted_peers(lab):
    servers = []
    for number, variant in enumerate(SCRIPTED, 1):
        names = [domain(variant, row, "script") for row in (STRICT, RELAXED)]
        for offset, name in enumerate(names):
            address = "127.0.41.%d" % (number * 2 + offset)
            lab.names.server(name, address)
            servers.append((variant, name, address))
    return servers


def peers_certificate(tap, lab, ours, peer):
    """Prosody shows each kind of certificate and dials, and is dialled."""
    pairs = [(variant, row) for variant in [*SOUND, *BAD] if variant not in SCRIPTED
             for row in (STRICT, RELAXED)]

    def both(pair):
        name = domain(*pair, "prosody")
        ours.ping(OURS, name, timeout=6)
        peer.ping(name, OURS, timeout=6)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(both, pairs))
    for variant, row in pairs:
        name = domain(variant, row, "prosody")
        method, verdict, codes = expected(variant, row)
        for direction in "out", "in":
            lines = ours.wait_outcome(2, local=OURS, remote=name, direction=direction)
            judge(tap, "Prosody's certificate %s, row %d, %s: %s" % (
                variant, row, direction, method if method != NONE else codes[0]),
                lines, method, verdict, codes)


def scripted_certificate(tap, lab, ours, servers):
    """Certificates that real servers do not load, and none at all."""
    for variant, name, address in servers:
        pair = lab.certificates.get(name, variant)
        row = STRICT if "r%d." % STRICT in name else RELAXED
        method, verdict, codes = expected(variant, row)
        try:
            server = Server(name, address, context=server_context(pair))
            context = client_context(pair)
        except OSError as fault:
            tap.skip("scripted %s" % variant, "OpenSSL here does not load it: %s" % fault)
            continue
        ours.ping(OURS, name, timeout=4)
        dial(name, context)
        for direction in "out", "in":
            lines = ours.wait_outcome(5, local=OURS, remote=name, direction=direction)
            judge(tap, "scripted %s, row %d, %s: %s" % (variant, row, direction, method),
                  lines, method, verdict, codes)
        server.stop()
    for row, method in ((STRICT, NONE), (RELAXED, TLS_DIALBACK)):
        name = "none.r%d.script.example" % row
        server = Server(name, "127.0.41.%d" % (100 + row),
                        context=server_context(lab.certificates.get(name)))
        dial(name, client_context())
        lines = ours.wait_outcome(5, local=OURS, remote=name, direction="in")
        judge(tap, "scripted peer without certificate, row %d, in: %s" % (row, method),
              lines, method, "none", ["certificate-missing"] if method == NONE else None)
        server.stop()


def dial(name, context):
    """Dial parleyd as that domain and take what is offered, best first."""
    stream = Stream.connect("127.0.0.1")
    try:
        stream.open(name, OURS)
        stream.starttls(context, OURS)
        _, features = stream.open(name, OURS)
        if features.has("EXTERNAL"):
            stream.external(name)
        elif features.name == "features":
            stream.result(name, OURS)
            stream.expect("result", "error")
    except Closed:
        pass
    stream.close()


# Our own certificate.

def own_certificate(tap, ours, peers, variants):
    """Each host of ours has another certificate; the peers judge."""
    def both(work):
        kind, peer, variant, row = work
        here, there = "%s.own.example" % variant, "own.r%d.%s.example" % (row, kind)
        ours.ping(here, there, timeout=6)
        peer.ping(there, here, timeout=6)

    works = [(kind, peer, variant, row) for kind, peer in peers.items()
             for variant in variants for row in (STRICT, RELAXED)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(both, works))
    takes = {"prosody": PROSODY_TAKES, "ejabberd": EJABBERD_TAKES}
    for kind, _, variant, row in works:
        here, there = "%s.own.example" % variant, "own.r%d.%s.example" % (row, kind)
        if variant in takes[kind]:
            method, codes = SASL, None
        elif row == RELAXED:
            method, codes = TLS_DIALBACK, None
        else:
            method, codes = NONE, OWN.get(variant, OWN_ANY) | OWN_ANY if \
                variant != "expired" else OWN["expired"]
        lines = ours.wait_outcome(2, local=here, remote=there, direction="out")
        judge(tap, "our certificate %s at %s, row %d, out: %s" % (variant, kind, row, method),
              lines, method, "valid", codes)
        # Neither looks at our certificate when it dials with dialback loaded;
        # theirs is sound, so it authenticates by EXTERNAL.
        lines = ours.wait_outcome(2, local=here, remote=there, direction="in")
        judge(tap, "our certificate %s, %s dials, row %d, in: %s" % (variant, kind, row, SASL),
              lines, SASL, "valid", None)


def main():
    tap = Tap()
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    if prosody.available():
        return tap.skip_all("prosody is not installed")
    own = [variant for variant in [*SOUND, *BAD] if variant not in SCRIPTED]
    with Laboratory() as lab:
        lab.names.server(OURS, "127.0.0.1")
        hosts, sections = {OURS: "valid"}, []
        shown = {}
        for variant in [*SOUND, *BAD]:
            for row in (STRICT, RELAXED):
                kind = "script" if variant in SCRIPTED else "prosody"
                sections.append(partner(domain(variant, row, kind), ROWS[row]))
                if kind == "prosody":
                    shown[domain(variant, row, kind)] = variant
                    lab.names.server(domain(variant, row, kind), "127.0.40.1")
        for variant in own:
            hosts["%s.own.example" % variant] = variant
            lab.names.server("%s.own.example" % variant, "127.0.0.1")
        for row in (STRICT, RELAXED):
            sections.append(partner("none.r%d.script.example" % row, ROWS[row]))
            lab.names.server("none.r%d.script.example" % row, "127.0.41.%d" % (100 + row))
            for kind, address in (("prosody", "127.0.40.2"), ("ejabberd", "127.0.40.3")):
                lab.names.server("own.r%d.%s.example" % (row, kind), address)
                sections.append(partner("own.r%d.%s.example" % (row, kind), ROWS[row]))
        servers = scripted_peers(lab)
        lab.certificates.make(*hosts.items(), *shown.items())
        lab.names.start(lab)
        showing = prosody.Prosody(lab, "showing", "127.0.40.1", prosody.POLICIES["all"], shown)
        judges = {"prosody": prosody.Prosody(
            lab, "judging", "127.0.40.2", prosody.POLICIES["default"],
            {"own.r%d.prosody.example" % row: "valid" for row in (STRICT, RELAXED)})}
        if not ejabberd.available():
            policy = ejabberd.POLICIES["default"]
            judges["ejabberd"] = ejabberd.Ejabberd(
                lab, "judging", "127.0.40.3",
                {"own.r%d.ejabberd.example" % row: (policy, "dns-only")
                 for row in (STRICT, RELAXED)})
        ours = Parleyd(lab, "main", hosts, sections)
        peers_certificate(tap, lab, ours, showing)
        scripted_certificate(tap, lab, ours, servers)
        own_certificate(tap, ours, judges, own)
        status = ours.stop()
        tap.case(status == 0 and not ours.findings(), "parleyd ends with status 0 and no finding",
                 "status %s" % status, *ours.findings())
    return tap.done()


sys.exit(main())
