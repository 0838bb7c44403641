#!/usr/bin/env python3
"""parley listen: negotiations with `parley probe`, its exit statuses, its files,
and every oddity as the other side sees it.

usage: test_listen.py PARLEY MAKE-CERTS; prints TAP.
"""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

PARLEY, MAKE_CERTS = map(os.path.abspath, sys.argv[1:3])
US, PEER = "alpha.example", "beta.example"
tests = []


def test(function):
    tests.append(function)
    return function


def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(domain):
    return ["--cert", "certs/%s.valid.crt" % domain, "--key", "certs/%s.valid.key" % domain]


class Listen:
    """parley listen as beta.example, in the background."""

    def __init__(self, *arguments, cert=True, host=PEER, places=None):
        self.port, self.callback = port(), port()
        if places is None:
            places = ["--listen", "127.0.0.1:%d" % self.port]
        command = [PARLEY, "listen", "--host", host, "--ca", "certs/ca.crt", *places,
                   "--connect", "127.0.0.1:%d" % self.callback]
        if cert:
            command += certificate(host)
        if "--timeout" not in arguments:
            command += ["--timeout", "30"]
        self.process = subprocess.Popen(command + list(arguments), text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = self.process.stderr.readline()
        assert "listening on" in self.said, self.said + self.process.stderr.read()

    def probe(self, *arguments):
        """parley probe as alpha.example; a completed process."""
        return subprocess.run([PARLEY, "probe", PEER, "--from", US, "--ca", "certs/ca.crt",
                               *certificate(US), "--connect", "127.0.0.1:%d" % self.port,
                               "--listen", "127.0.0.1:%d" % self.callback, "--timeout", "12",
                               *arguments], capture_output=True, text=True, timeout=60, check=False)

    def records(self, *arguments):
        """What a probe saw: (exit status, records)."""
        done = self.probe("--format", "jsonl", "-vv", *arguments)
        assert done.stdout, done
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def end(self, status):
        """It ends by itself with that status; what it wrote."""
        out, err = self.process.communicate(timeout=40)
        assert self.process.returncode == status, (self.process.returncode, out, err)
        return out, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def came(records, event):
    """Raw text of what came of that event, and when, in milliseconds."""
    return [(record.get("raw", ""), record["mono_us"] / 1000) for record in records
            if record["event"] == event and record["dir"] == "in"]


def all_that_came(records):
    return "".join(record.get("raw", "") for record in records if record["dir"] == "in")


# Negotiations.

@test
def sasl_over_tls():
    with Listen("--expect", "sasl-over-tls") as listen:
        assert listen.probe().returncode == 0
        out, _ = listen.end(0)
    assert "%s -> %s (incoming)" % (US, PEER) in out, out
    assert "OK  method: SASL over TLS" in out and "row 7" in out and "exit 0" in out, out


@test
def direct_tls():
    with Listen("--direct-tls") as listen:
        assert "direct TLS" in listen.said
        assert listen.probe("--direct-tls").returncode == 0
        out, _ = listen.end(0)
    assert "SASL over TLS" in out and "<starttls" not in out, out


@test
def dialback_and_expectations():
    with Listen("--row", "13", "--expect", "sasl-over-tls,tcp-dialback") as listen:
        assert listen.probe("--row", "13", "--no-client-cert").returncode == 0
        out, _ = listen.end(1)
    assert "OK  method: TLS Dialback" in out and "s2" in out, out
    with Listen("--policy", "tls=not-supported,sasl=not-supported,dialback=yes",
                "--fail-on", "warn", cert=False) as listen:
        assert listen.probe("--row", "17").returncode == 0
        out, _ = listen.end(20)
    assert "TCP Dialback" in out, out


@test
def the_worst_of_several():
    """A look at the port does not count, a failure outranks what went well."""
    with Listen("--count", "3", "--row", "2") as listen:
        listen.dial().close()
        assert listen.probe().returncode == 0
        assert listen.probe("--no-client-cert", "--row", "8").returncode != 0
        assert listen.probe().returncode == 0
        out, err = listen.end(5)
    assert out.count("OK  method: SASL over TLS") == 2 and out.count("FAIL") == 1, out
    assert err.count("a connection that said nothing") == 1, err


@test
def what_is_cut_at_the_end_does_not_count():
    with Listen() as listen, listen.dial() as waiting:
        waiting.sendall(b"<stream:stream xmlns='jabber:server' version='1.0' from='%s' to='%s' "
                        b"xmlns:stream='http://etherx.jabber.org/streams'>"
                        % (US.encode(), PEER.encode()))
        waiting.settimeout(5)
        assert waiting.recv(4096)
        assert listen.probe().returncode == 0
        out, _ = listen.end(0)
    assert out.count("exit ") == 1 and "FAIL" not in out, out


@test
def a_peer_that_speaks_nonsense():
    with Listen() as listen:
        with listen.dial() as peer:
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while peer.recv(4096):
                pass
        out, _ = listen.end(8)
    assert "what came is refused" in out and "INCOMPLETE" not in out, out
    assert "exit 8" in out and "and : " not in out, out


@test
def a_port_that_is_scanned():
    """What speaks TLS where no TLS is, or begins it and goes away."""
    with Listen("--format", "jsonl") as listen:
        with listen.dial() as peer:
            peer.sendall(bytes.fromhex("16030100050100000100"))
            while peer.recv(4096):
                pass
        out, _ = listen.end(8)
    end = json.loads(out.splitlines()[-1])["detail"]
    assert end["result"] == "failed" and end["exit"] == 8 and end["why"], end
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Listen("--direct-tls") as listen:
        context.wrap_socket(listen.dial(), server_hostname=PEER).close()
        out, _ = listen.end(8)
    assert "INCOMPLETE" not in out and "exit 8" in out, out


@test
def a_probe_can_be_odd():
    with Listen("--format", "jsonl") as listen:
        assert listen.probe("--odd", "prefixes,upper-case").returncode == 0
        out, _ = listen.end(0)
    text = all_that_came([json.loads(line) for line in out.splitlines()])
    assert text.startswith("<?xml version=\"1.0\"") and 'from="ALPHA.EXAMPLE"' in text, text
    done = subprocess.run([PARLEY, "probe", PEER, "--odd", "even"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 2 and "even" in done.stderr, done


@test
def ends_without_negotiations():
    with Listen("--timeout", "0.5") as listen:
        _, err = listen.end(9)
    assert "0 of 1 negotiations came" in err, err
    for arguments, status in (([], 10), (["--count", "0"], 0)):
        with Listen(*arguments) as listen:
            listen.process.send_signal(signal.SIGTERM)
            listen.end(status)
    with Listen("--count", "0", "--timeout", "0.5") as listen:
        listen.end(0)


@test
def goes_on_until_it_is_told():
    with Listen("--count", "0", "--format", "jsonl") as listen:
        assert listen.probe().returncode == 0
        lines = [json.loads(listen.process.stdout.readline())]
        while lines[-1]["event"] != "trace.end":
            lines.append(json.loads(listen.process.stdout.readline()))
        assert lines[0]["event"] == "trace.begin", lines[0]
        assert lines[-1]["detail"]["result"] == "negotiated", lines[-1]
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        listen.process.send_signal(signal.SIGINT)
        listen.end(0)


# Files and formats.

@test
def documents_and_captures():
    for form, sign in (("json", '"method":"sasl-over-tls"'), ("html", "<svg"),
                       ("mermaid", "sequenceDiagram"), ("svg", "<svg"), ("prom", "probe_success 1")):
        with Listen("--format", form, "-o", "out." + form, "--pcap", form + ".pcapng") as listen:
            assert listen.probe().returncode == 0
            out, _ = listen.end(0)
        with open("out." + form, encoding="utf-8") as file:
            text = file.read()
        assert sign in text.replace(": ", ":").replace(" :", ":") or sign in text, (form, text[:500])
        with open(form + ".pcapng", "rb") as file:
            assert file.read(4) == b"\x0a\x0d\x0d\x0a"
        assert out == "" and os.stat("out." + form).st_mode & 0o777 == 0o600


@test
def wrong_arguments():
    open("there", "w", encoding="ascii").close()
    host = ["--host", PEER]
    for arguments, words in (
            ([], "--host or -c"), (["--host", "a b"], "not a domain"),
            ([*host, "--cert", "x"], "--key"), (["--cert", "x", "--key", "y", "-c", "no"], "--host"),
            ([*host, "--row", "6"], "no method"), ([*host, "--row", "19"], "1 to 18"),
            ([*host, "--policy", "tls=maybe"], "LEVEL"), ([*host, "--odd", "strange"], "strange"),
            ([*host, "--count", "x"], "number"), ([*host, "--timeout", "0"], "seconds"),
            ([*host, "--expect", "luck"], "luck"), ([*host, "--fail-on", "x"], "warn"),
            ([*host, "--raw", "x"], "negotiation"), ([*host, "--format", "svg", "--count", "2"], "one"),
            ([*host, "-o", "there"], "--force"), ([*host, "--pcap", "there"], "--force"),
            ([*host, "more"], "more"), ([*host, "-c", "missing.conf"], "missing.conf"),
            ([*host, "--listen", "nowhere"], "nowhere"),
            ([*host, "--cert", "missing", "--key", "missing"], "missing")):
        done = subprocess.run([PARLEY, "listen", *arguments], capture_output=True, text=True,
                              timeout=20, check=False)
        assert done.returncode == 2 and done.stdout == "" and words in done.stderr, (arguments, done)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        done = subprocess.run([PARLEY, "listen", *host, "--listen", "127.0.0.1:%d" %
                               taken.getsockname()[1]], capture_output=True, text=True, timeout=20,
                              check=False)
    assert done.returncode == 2 and "in use" in done.stderr, done


@test
def help_names_every_oddity():
    done = subprocess.run([PARLEY, "listen", "--help"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 0 and done.stderr == "", done
    for odd, _ in ODDITIES:
        assert "\n  %s " % odd in done.stdout, odd


# Oddities, as a probe sees them.

def odd_no_version(records, status):
    header = came(records, "stream.header")[0][0]
    assert " version=" not in header.split("?>")[1] and not came(records, "features.offer"), header
    assert status == 0


def odd_empty_mechanisms(records, status):
    features = came(records, "features.offer")[-1][0]
    assert "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" in features, features
    assert status == 0 and records[-1]["detail"]["method"] == "tls-dialback", records[-1]


def odd_late_refusal(records, status):
    events = [record["event"] for record in records]
    failed = [record for record in records if record["event"] == "tls.failed"]
    assert events.index("tls.done") < events.index("tls.failed"), events
    assert failed[0]["detail"]["alert"] and "unknown" in failed[0]["detail"]["text"], failed
    assert status == 5


def odd_no_verify(records, status):
    assert not came(records, "dialback.result") and status == 9, status


def odd_split_writes(records, status):
    header, features = came(records, "stream.header")[0], came(records, "features.offer")[0]
    assert features[1] - header[1] > 40 and status == 0, (header, features)


def odd_prefixes(records, status):
    text = all_that_came(records)
    assert "<st:stream" in text and "<st:features>" in text and '<dial.back:result from="' in text
    assert "stream:features" not in text and "='" not in text and status == 0, text


def odd_slow_features(records, status):
    header, features = came(records, "stream.header")[0], came(records, "features.offer")[0]
    assert 2900 < features[1] - header[1] < 6000 and status == 0, (header, features)


def odd_whitespace(records, status):
    # White space belongs to no record: the capture of bytes is the C test's.
    assert status == 0 and came(records, "features.offer")


def odd_old_error(_records, status):
    assert status == 0


def odd_extra_features(records, status):
    features = came(records, "features.offer")[0][0]
    assert features.count("urn:example:") == 4 and status == 0, features


def odd_required_feature(records, status):
    assert "urn:example:required'><required/>" in all_that_came(records) and status == 0


def odd_upper_case(records, status):
    text = all_that_came(records)
    assert "from='BETA.EXAMPLE'" in text and "to='ALPHA.EXAMPLE' type='valid'" in text, text
    assert status == 0


ODDITIES = (
    ("no-version", "17"), ("empty-mechanisms", "7"), ("late-refusal", "7"), ("no-verify", "17"),
    ("split-writes", "7"), ("prefixes", "17"), ("slow-features", "17"), ("whitespace", "13"),
    ("old-error", "7"), ("extra-features", "7"), ("required-feature", "7"), ("upper-case", "13"),
)
STATUS = {"late-refusal": 5, "no-verify": 8}


def oddity(odd, row):
    def run():
        more = ["--timeout", "4"] if odd == "no-verify" else []
        with Listen("--odd", odd, "--row", row) as listen:
            status, records = listen.records("--row", row, *more)
            listen.end(STATUS.get(odd, 0))
        globals()["odd_" + odd.replace("-", "_")](records, status)
    run.__name__ = "odd_" + odd.replace("-", "_")
    return run


for one in ODDITIES:
    test(oddity(*one))


@test
def white_space_and_old_errors_on_the_wire():
    with Listen("--odd", "whitespace,old-error", "--row", "17", cert=False) as listen:
        with listen.dial() as peer:
            peer.settimeout(5)
            peer.sendall(b"<stream:stream xmlns='jabber:server' version='1.0' from='%s' to='%s' "
                         b"xmlns:stream='http://etherx.jabber.org/streams'><a></b>"
                         % (US.encode(), PEER.encode()))
            got = b""
            while b"</stream:stream>" not in got:
                more = peer.recv(4096)
                assert more, got
                got += more
        listen.end(8)
    assert b">\n \t\r\n  <stream:features>" in got, got
    assert b"\n \t\r\n  <stream:error><xml-not-well-formed" in got, got


@test
def late_refusal_in_tls_1_2():
    """Then it is no longer late: the handshake itself fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain("certs/%s.valid.crt" % US, "certs/%s.valid.key" % US)
    context.set_alpn_protocols(["xmpp-server"])
    with Listen("--odd", "late-refusal", "--direct-tls") as listen:
        try:
            context.wrap_socket(listen.dial(), server_hostname=PEER)
            raise AssertionError("the handshake went well")
        except ssl.SSLError as error:
            assert "UNKNOWN_CA" in str(error).upper().replace(" ", "_"), error
        listen.end(5)


def main():
    bad = 0
    print("1..%d" % len(tests))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run([MAKE_CERTS, "certs", US, "valid", PEER, "valid"], check=True,
                       stdout=subprocess.DEVNULL)
        for number, function in enumerate(tests, 1):
            begun = time.monotonic()
            try:
                function()
                print("ok %d - %s" % (number, function.__name__))
            except Exception:  # pylint: disable=broad-except
                bad += 1
                print("not ok %d - %s" % (number, function.__name__))
                for line in traceback.format_exc().splitlines():
                    print("# " + line)
            print("# %.1f s" % (time.monotonic() - begun), flush=True)
        os.chdir("/")
    return 1 if bad else 0


sys.exit(main())
