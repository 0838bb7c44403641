#!/usr/bin/env python3
"""parley probe and parley matrix against scripted peers and a private Prosody.

    test_probe.py [WORD...]    only the cases whose name holds one of the words

Every exit status is reached, nothing that is secret gets out, and whoever is
silent, the end comes in time.
"""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))

from lab import namespace, prosody, start  # noqa: E402
from lab.laboratory import Laboratory  # noqa: E402
from lab.parleyd import SANITIZER, Parleyd, partner, program  # noqa: E402
from lab.peer import Closed, Server, Stream, server_context  # noqa: E402
from lab.policy import ROWS  # noqa: E402
from lab.tap import Tap  # noqa: E402

OURS, OTHER = "alpha.example", "omega.example"
OUR_ADDRESS = "127.0.60.1"
SECRET = "a secret of the laboratory"       # of lab.parleyd
CASES = []
SLACK = 2.5             # seconds that a loaded machine may add
AT_ONCE = 6             # programs, where a case runs several


def case(function):
    CASES.append(function)
    return function


# ----- peers, each with one habit -----


class Invalid(Server):
    """Believes no key, whatever our authority says."""

    def on_result(self, stream, element):
        stream.send("<db:result from='%s' to='%s' type='invalid'/>" %
                    (element.get("to"), element.get("from")))


class Unreachable(Server):
    """Never calls back, and says that it could not."""

    def on_result(self, stream, element):
        stream.send("<db:result from='%s' to='%s' type='error'><error type='cancel'>"
                    "<remote-connection-failed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                    "</error></db:result>" % (element.get("to"), element.get("from")))


class Careful(Server):
    """Calls back where DNS says, as it should, in clear."""

    def on_result(self, stream, element):
        ours, theirs = element.get("from"), element.get("to")
        call = Stream.connect(OUR_ADDRESS, timeout=5)
        try:
            call.header(theirs, ours)
            call.expect("stream")
            call.read()
            call.send("<db:verify from='%s' to='%s' id='%s'>%s</db:verify>" %
                      (theirs, ours, "peer%d%s" % (stream.number, "t" if stream.tls else ""),
                       element.text))
            verdict = call.expect("verify").get("type")
            self.keys.append(element.text)
        finally:
            call.close()
        stream.send("<db:result from='%s' to='%s' type='%s'/>" % (theirs, ours, verdict))


class HostUnknown(Server):
    def on_stream(self, stream, header):
        stream.header(header.get("to"), header.get("from"), id="x")
        stream.send("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                    "<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>\x9b31m\x7f&lt;script"
                    "&gt;alert(1)&lt;/script&gt; &#x202E;</text></stream:error></stream:stream>")
        raise Closed("said so")


class Silent(Server):
    """Falls silent at a stage."""

    def __init__(self, *argv, at, **more):
        self.at = at
        super().__init__(*argv, **more)

    def on_stream(self, stream, header):
        if self.at == "header":
            return
        if self.at == "features":
            stream.header(header.get("to"), header.get("from"), id="x")
            return
        super().on_stream(stream, header)

    def on_starttls(self, stream, element):
        if self.at == "proceed":
            return
        if self.at == "handshake":
            stream.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            time.sleep(20)
            return
        super().on_starttls(stream, element)

    def on_auth(self, stream, element):
        if self.at != "sasl":
            super().on_auth(stream, element)

    def on_result(self, stream, element):
        if self.at != "dialback":
            super().on_result(stream, element)


# ----- the room -----


class Room:
    def __init__(self, lab):
        self.lab, self.servers, self.files, self.lock = lab, [], 0, threading.Lock()

    def server(self, domain, kind=Server, tls="valid", **more):
        certificate = self.lab.certificates.get(domain, tls) if tls else None
        server = kind(domain, ADDRESSES[domain], context=server_context(certificate)
                      if certificate else None, **more)
        self.servers.append(server)
        return server

    def end_case(self):
        for server in self.servers:
            server.stop()
        self.servers = []

    def file(self, name):
        with self.lock:
            self.files += 1
            number = self.files
        return os.path.join(self.lab.path("out"), "%d-%s" % (number, name))

    def identity(self, domain=OURS, variant="valid"):
        certificate, key = self.lab.certificates.get(domain, variant)
        return ["--cert", certificate, "--key", key]

    def run(self, verb, *argv, seconds=20, **environment):
        """parley with the laboratory's names and trust; what came of it."""
        begun = time.monotonic()
        done = subprocess.run(
            [program("parley"), verb, "--ca", self.lab.certificates.ca, "--resolv-conf",
             "/etc/resolv.conf", "--trust-anchor", self.lab.names.anchor, "--allow-loopback",
             "--from", OURS, *argv],
            capture_output=True, text=True, timeout=seconds, check=False,
            stdin=subprocess.DEVNULL, env=dict(os.environ, **environment))
        done.seconds = time.monotonic() - begun
        done.said = "status %d after %.1f s\n%s%s" % (done.returncode, done.seconds, done.stdout,
                                                     done.stderr)
        done.clean = not SANITIZER.search(done.stderr)
        return done

    def probe(self, *argv, **more):
        return self.run("probe", *argv, **more)


ADDRESSES = {"%s.example" % name: "127.0.60.%d" % number for number, name in enumerate(
    ["full", "plain", "wrong", "clear", "unknown", "careful", "refused", "direct", "prosody",
     "late"] + ["mute%d" % number for number in range(1, 7)], 10)}


def ends(tap, done, status, name, *texts):
    """One case: the status, and texts that the output must hold."""
    missing = [text for text in texts if text not in done.stdout]
    return tap.case(done.returncode == status and done.clean and not missing,
                    "%s: exit %d" % (name, status), done.said,
                    *("missing: " + text for text in missing))


def together(function, arguments):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(function, arguments))


# ----- exit statuses -----


@case
def negotiated(tap, room):
    room.server("full.example")
    done = room.probe(*room.identity(), "--row", "2", "full.example")
    ends(tap, done, 0, "SASL over TLS", "method: SASL over TLS")
    tap.case(max(map(len, done.stdout.splitlines()), default=0) <= 80, "no line is wider than 80 columns",
             done.stdout)
    tap.case(done.stderr == "", "stderr is silent where it is no terminal", done.stderr)
    ends(tap, room.probe(*room.identity(), "--row", "2", "--expect", "sasl-over-tls,tls-dialback",
                         "full.example"), 0, "as expected")
    done = room.probe(*room.identity(), "--row", "2", "--expect", "tls-dialback", "full.example")
    ends(tap, done, 1, "not as expected")
    tap.case("sasl-over-tls was negotiated; expected: tls-dialback" in done.stderr,
             "... and why that is", done.said)
    ends(tap, room.probe(*room.identity(), "--policy", "tls=required,sasl=required,dialback=no",
                         "full.example"), 0, "the policy in words", "row 2")
    ends(tap, room.probe("full.example", "--no-client-cert", *room.identity(), "--row", "2"), 6,
         "no certificate, and SASL required")


@case
def usage(tap, room):
    def one(argv):
        done = room.probe(*argv)
        tap.case(done.returncode == 2 and done.stdout == "" and done.stderr and done.clean,
                 "exit 2: %s" % " ".join(argv)[:60], done.said)

    together(one, [
        ["--row", "6", "full.example"], [], ["--expect", "magic", "full.example"],
        ["--policy", "tls=perhaps", "full.example"], ["not a domain"],
        ["--timeout", "nan", "full.example"], ["--direct-tls", "--starttls", "full.example"],
        ["--cert", "x", "full.example"], [OURS],
        ["--pcap-wire", room.file("w"), "full.example"], ["--secrets", "full.example"],
        ["-c", "/nonexistent.conf", "full.example"],
        ["--cert", "/nonexistent", "--key", "/nonexistent", "full.example"]])


@case
def names(tap, room):
    ends(tap, room.probe("nosuch.example"), 3, "no such domain", "dns-no-such-domain")
    ends(tap, room.probe("none.example"), 3, "a domain without service", "dns-no-service")


@case
def tcp(tap, room):
    ends(tap, room.probe("refused.example"), 4, "nobody listens", "tcp-refused")
    ends(tap, room.probe("--connect", ADDRESSES["refused.example"] + ":5269", "full.example"), 4,
         "nobody listens at --connect")


@case
def certificates(tap, room):
    context = server_context(room.lab.certificates.get("full.example"))
    room.servers.append(Server("wrong.example", ADDRESSES["wrong.example"], context=context))
    done = room.probe(*room.identity(), "--row", "2", "wrong.example")
    ends(tap, done, 5, "their certificate is bad for us", "certificate-wrong-name")
    room.end_case()
    room.server("full.example", external=False)
    done = room.probe(*room.identity(variant="server-eku-only"), "--row", "1", "full.example")
    tap.case(done.returncode in (6, 7) and "seems" in done.stdout and "clientAuth" in done.stdout,
             "ours is bad for them: no EXTERNAL", done.said)
    done = room.probe(*room.identity(variant="expired"), "--row", "2", "full.example")
    tap.case(done.returncode in (6, 7) and "expired" in done.stdout, "ours has expired", done.said)


@case
def late_alert(tap, room):
    """TLS 1.3: the certificate is refused after the handshake seemed done."""
    class Strict(Server):
        pass
    certificate = room.lab.certificates.get("late.example")
    context = server_context(certificate, room.lab.certificates.rogue_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Strict("late.example", ADDRESSES["late.example"], context=context)
    room.servers.append(server)
    done = room.probe(*room.identity(), "--row", "2", "late.example")
    ends(tap, done, 5, "a late alert refuses our certificate", "own-certificate-rejected")


@case
def dialback(tap, room):
    room.server("plain.example", Invalid)
    done = room.probe("--row", "13", "--listen", OUR_ADDRESS + ":5269", "plain.example")
    ends(tap, done, 6, "the key is called invalid", "dialback-invalid")
    room.end_case()
    room.server("plain.example", Unreachable)
    done = room.probe("--row", "13", "plain.example")
    ends(tap, done, 10, "nobody answers for us", "INCOMPLETE")
    done = room.probe("--row", "13", "--listen", "127.0.60.2:5269", "plain.example")
    ends(tap, done, 6, "they could not call back", "no callback connection", "differs",
         OUR_ADDRESS + ":5269")
    room.end_case()
    server = room.server("careful.example", Careful)
    server.keys = []
    done = room.probe("--row", "13", "--listen", OUR_ADDRESS + ":5269", "careful.example")
    ends(tap, done, 0, "TLS Dialback, called back", "method: TLS Dialback")
    done = room.probe("--row", "15", "--listen", OUR_ADDRESS + ":5269", "--fail-on", "warn",
                      "--starttls", "careful.example")
    ends(tap, done, 0, "TLS where it is offered", "TLS Dialback")


@case
def policy(tap, room):
    room.server("clear.example", tls=None)
    done = room.probe(*room.identity(), "--row", "2", "clear.example")
    ends(tap, done, 7, "no TLS", "tls-not-offered", "would work")
    done = room.probe(*room.identity(), "--row", "2", "--expect", "none", "clear.example")
    ends(tap, done, 0, "refused, as expected")
    done = room.probe("--row", "17", "--fail-on", "warn", "--listen", OUR_ADDRESS + ":5269",
                      "clear.example")
    ends(tap, done, 20, "in clear, with --fail-on warn", "TCP Dialback")
    done = room.probe("--row", "17", "--listen", OUR_ADDRESS + ":5269", "clear.example")
    ends(tap, done, 0, "in clear", "TCP Dialback")


@case
def peer_error(tap, room):
    room.server("unknown.example", HostUnknown)
    done = room.probe("unknown.example")
    ends(tap, done, 8, "a stream error", "host-unknown")

    def one(form):
        done = room.probe("-vv", "--format", form, "unknown.example")
        # A terminal obeys the former, a browser the latter.
        bad = [text for text in (["<script>alert", "</script><"] if form in ("html", "svg") else
                                 ["\x9b", "\x7f", "\x1b", "\u202e"]) if text in done.stdout]
        tap.case(done.returncode == 8 and not bad, "hostile text is harmless in %s" % form,
                 repr(bad), done.said[:3000])

    together(one, ["ladder", "json", "html", "mermaid", "svg", "prom"])


# ----- silence -----


@case
def silence(tap, room):
    """The end comes in time, wherever the peer falls silent."""
    def one(stage):
        number, at, name = stage
        domain = "mute%d.example" % number
        room.server(domain, Silent, at=at, external=at != "dialback")
        done = room.probe(*room.identity(), "--row", "7", "--timeout", "1.5", "--listen",
                          "127.0.60.%d:5269" % (40 + number), domain)
        ends(tap, done, 9, "silent at %s" % at, name)
        tap.case(done.seconds < 1.5 + SLACK, "... within its time (%.1f s)" % done.seconds,
                 done.said)

    together(one, [(1, "header", "stream"), (2, "features", "features"), (3, "proceed", "starttls"),
                   (4, "handshake", "tls"), (5, "sasl", "sasl"), (6, "dialback", "dialback")])


@case
def silent_resolver(tap, room):
    path = room.file("resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.60.99@5353\n")
    with mute(5353):
        done = room.probe("--resolv-conf", path, "--timeout", "2", "full.example")
    ends(tap, done, 3, "a silent resolver", "dns-resolver-unreachable")
    tap.case(done.seconds < 2 + SLACK, "... within its time", done.said)


@case
def silent_system(tap, room):
    """The SASL library asks the system's resolver, which may never answer."""
    own = os.path.join(namespace.folder(), "resolv.conf")
    with open(own, encoding="ascii") as file:
        text = file.read()
    path = room.file("resolv.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    room.server("full.example")
    with mute(53):
        with open(own, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.60.99\nsearch a.example b.example c.example\n")
        done = room.probe("--resolv-conf", path, "--timeout", "2", "full.example")
        longer = room.probe("--resolv-conf", path, "--timeout", "30", "--row", "2",
                            *room.identity(), "full.example", seconds=40)
    with open(own, "w", encoding="ascii") as file:
        file.write(text)
    tap.case(done.returncode in (0, 9) and done.seconds < 2 + SLACK and done.clean,
             "a silent system resolver costs no more than the time", done.said)
    ends(tap, longer, 0, "... and is got over where there is time", "SASL over TLS")


def mute(port):
    """A name server that never answers."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.60.99", port))
    return server


# ----- with a configuration -----


def configuration(room, name, secret, partners, **more):
    """Of a daemon that is not running."""
    daemon = Parleyd(room.lab, name, {OURS: "valid"}, partners, address=OUR_ADDRESS, direct=None,
                     start=False, **more)
    if not secret:
        with open(daemon.file, encoding="utf-8") as file:
            text = re.sub(r"(?m)^dialback .*\n", "", file.read())
        with open(daemon.file, "w", encoding="utf-8") as file:
            file.write(text)
    return daemon


@case
def own_row(tap, room):
    room.server("full.example")
    daemon = configuration(room, "rows", True, [partner("full.example", ROWS[2])])
    ends(tap, room.probe("-c", daemon.file, "full.example"), 0, "the partner's own row",
         "row 2", "SASL over TLS")
    ends(tap, room.probe("-c", daemon.file, "plain.example"), 7, "a partner that is not known",
         "partner-unknown")
    ends(tap, room.probe("-c", daemon.file, "--from", "nobody.example", "full.example"), 2,
         "not a host of the file")
    server = room.server("careful.example", Careful)
    server.keys = []
    done = room.probe("-c", daemon.file, "--row", "13", "careful.example")
    ends(tap, done, 0, "we listen where the file does", "TLS Dialback")


@case
def running(tap, room):
    """A running daemon answers for the probe, with and without a secret."""
    for secret in True, False:
        daemon = configuration(room, "running%d" % secret, secret,
                               [partner("careful.example", ROWS[13]),
                                partner("full.example", ROWS[2])])
        daemon.start()
        server = room.server("careful.example", Careful)
        server.keys = []
        done = room.probe("-c", daemon.file, "careful.example")
        ends(tap, done, 0, "parleyd answers db:verify, %s secret" % ("its" if secret else "a random"),
             "TLS Dialback")
        if secret:
            secrets(tap, room, daemon, server)
        else:
            room.server("plain.example", Unreachable)
            done = room.probe("-c", daemon.file, "--row", "13", "plain.example")
            ends(tap, done, 10, "parleyd would deny the key", "INCOMPLETE")
        room.end_case()
        tap.case(daemon.stop() == 0 and not daemon.findings(), "parleyd ends well",
                 *daemon.findings())


def secrets(tap, room, daemon, server):
    """Nothing secret in any format, nor in the traces and captures."""
    with open(room.lab.certificates.get(OURS)[1], encoding="ascii") as file:
        private = file.read().splitlines()[1]

    def one(form):
        path, capture = room.file(form), room.file("pcapng")
        done = room.probe("-c", daemon.file, "-vvv", "--format", form, "-o", path, "--pcap",
                          capture, "careful.example")
        ends(tap, done, 0, "-o with --format " + form)
        with open(path, "rb") as one, open(capture, "rb") as two:
            text = one.read() + two.read() + done.stdout.encode() + done.stderr.encode()
        found = [word for word in (*server.keys, SECRET, private) if word.encode() in text]
        tap.case(len(server.keys[-1]) == 64 and not found and os.stat(path).st_mode & 0o77 == 0,
                 "nothing secret in " + form, *found)

    together(one, ["ladder", "json", "jsonl", "html", "mermaid", "svg", "prom", "pcapng"])
    done = room.probe("-c", daemon.file, "--format", "json", "careful.example")
    result = json.loads(done.stdout)
    tap.case(result["method"] == "tls-dialback" and result["row"] == 13 and
             {"trace", "stages_ms", "offers", "requires", "would_work", "findings"} <= set(result),
             "JSON holds what it promises", done.said)


@case
def files(tap, room):
    room.server("full.example")
    path = room.file("kept")
    with open(path, "w", encoding="ascii") as file:
        file.write("old")
    done = room.probe(*room.identity(), "-o", path, "full.example")
    with open(path, encoding="ascii") as file:
        tap.case(done.returncode == 2 and file.read() == "old" and not room.servers[0].seen,
                 "-o keeps a file that exists, before anything is dialled", done.said)
    for option in "--pcap", "--pcap-wire":
        done = room.probe(*room.identity(), option, path, "--secrets" if "wire" in option else "-v",
                          "full.example")
        tap.case(done.returncode == 2 and open(path, encoding="ascii").read() == "old",
                 "so does " + option, done.said)
    done = room.probe(*room.identity(), "-o", path, "--force", "full.example")
    tap.case(done.returncode == 0 and "SASL over TLS" in open(path, encoding="utf-8").read(),
             "--force replaces it", done.said)
    wire = room.file("wire.pcapng")
    done = room.probe(*room.identity(), "--pcap-wire", wire, "--secrets", "full.example")
    tap.case(done.returncode == 0 and os.path.getsize(wire) > 1000 and "secrets" in done.stderr,
             "--pcap-wire writes a capture, and says what it holds", done.said)


@case
def ways(tap, room):
    room.server("direct.example", direct=True)
    done = room.probe(*room.identity(), "--direct-tls", "--connect",
                      ADDRESSES["direct.example"] + ":5269", "--row", "2", "direct.example")
    ends(tap, done, 0, "direct TLS at --connect", "SASL over TLS")
    seen = []
    room.end_case()
    server = room.server("full.example")
    server.context.sni_callback = lambda _socket, name, _context: seen.append(name)
    done = room.probe(*room.identity(), "--sni", "other.example", "--row", "2", "full.example")
    tap.case(done.returncode == 0 and seen == ["other.example"], "--sni", str(seen), done.said)


# ----- matrix -----


@case
def matrix(tap, room):
    if prosody.available():
        tap.skip("matrix against Prosody", "prosody is not installed")
        return
    domain = "prosody.example"
    prosody.Prosody(room.lab, "default", ADDRESSES[domain], prosody.POLICIES["default"],
                    {domain: "valid"})
    daemon = configuration(room, "matrix", True, [partner("*", ROWS[7])])
    junit, table = room.file("junit.xml"), room.file("table")
    done = room.run("matrix", "-c", daemon.file, "--timeout", "12", "--rows", "1,2,5-7,13,17",
                    "--junit", junit, "-o", table, domain, seconds=60)
    with open(table, encoding="utf-8") as file:
        text = file.read()
    tap.case(done.returncode == 0 and done.clean, "matrix: all as expected", done.said, text)
    tap.case(max(map(len, text.splitlines()), default=0) <= 80, "the table is 80 columns wide", text)
    suite = xml.etree.ElementTree.parse(junit).getroot().find("testsuite")
    tap.case(suite.get("tests") == "7" and suite.get("failures") == "0" and
             suite.get("skipped") == "1" and len(suite.findall("testcase")) == 7,
             "the JUnit file tells the same", open(junit, encoding="utf-8").read())
    done = room.run("matrix", "-c", daemon.file, "--rows", "2", "--json", "--peer-policy",
                    "not-supported,not-supported,yes", domain)
    result = json.loads(done.stdout)
    tap.case(done.returncode == 1 and result["rows"][0]["verdict"] == "differs" and
             result["rows"][0]["expected"] == "none" and not result["as_expected"],
             "matrix: another peer than was expected", done.said)
    for form in "html", "svg", "jsonl":
        done = room.run("matrix", "-c", daemon.file, "--rows", "2,6", "--format", form, domain)
        tap.case(done.returncode == 0 and len(done.stdout) > 1000 and done.clean,
                 "matrix as " + form, done.said[:2000])


@case
def matrix_without_peer(tap, room):
    done = room.run("matrix", "--rows", "2,7", "--json", "nosuch.example")
    tap.case(done.returncode == 3 and json.loads(done.stdout)["exit"] == 3,
             "matrix: a peer that is not there", done.said)
    done = room.run("matrix", "--rows", "6,12", "nosuch.example")
    tap.case(done.returncode == 2 and done.stdout.count("invalid") >= 2,
             "matrix: rows that are not valid", done.said)
    for argv in (["--rows", "0"], ["--rows", "9-2"], ["--rows", ""], ["--pause", "x"],
                 ["--format", "prom"], ["--peer-policy", "required"]):
        done = room.run("matrix", *argv, "full.example")
        tap.case(done.returncode == 2 and done.stdout == "", "matrix: exit 2: " + " ".join(argv),
                 done.said)


def main():
    tap = Tap()
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    words = sys.argv[1:]
    with Laboratory() as lab:
        lab.names.server(OURS, OUR_ADDRESS)
        for domain, address in ADDRESSES.items():
            lab.names.server(domain, address)
        lab.names.no_service("none.example")
        lab.names.start(lab)
        lab.certificates.make((OURS, "valid"), (OURS, "server-eku-only"), (OURS, "expired"),
                              *((domain, "valid") for domain in ADDRESSES))
        room = Room(lab)
        for function in CASES:
            if words and not any(word in function.__name__ for word in words):
                continue
            begun = time.monotonic()
            function(tap, room)
            room.end_case()
            tap.note("%s: %.1f s" % (function.__name__, time.monotonic() - begun))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
