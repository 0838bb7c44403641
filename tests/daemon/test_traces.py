#!/usr/bin/env python3
"""Traces of two running parleyd that negotiate with each other over loopback.

usage: test_traces.py PARLEYD PARLEY SCHEMA; prints TAP. Every record is held
against the schema, where python3-jsonschema is there.
"""
import hashlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cases  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

PARLEYD, PARLEY, SCHEMA = map(os.path.abspath, sys.argv[1:4])
SECRET = "what the dialback keys of this test are made from"
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-[\w.-]+-[\w.-]+-[0-9a-f]{12}\.(jsonl|pcapng)")
tests = []


def test(function):
    tests.append(function)
    return function


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(path, **request):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        client.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(client.makefile("rb").readline())


class Server:
    """One parleyd: its folder, files and questions."""

    def __init__(self, folder, name, port, other, other_port, policy, trace, more=""):
        self.name, self.folder = name, folder
        self.file = os.path.join(folder, name + ".conf")
        self.socket = os.path.join(folder, name + ".sock")
        self.traces = os.path.join(folder, name + ".traces")
        self.text = f"""
host "{name}" {{ certificate = "{name}.crt"  private-key = "{name}.key" }}
listen "127.0.0.1:{port}" {{ tls = starttls }}
dialback {{ secret = "{SECRET}" }}
dns {{ resolv-conf = "resolv.conf"  trust-anchor-file = "/dev/null" }}
trust {{ ca-file = "both.crt" }}
partner "{other}" {{ {policy}  connect = "127.0.0.1:{other_port}" }}
partner "gone.example" {{ {policy}  connect = "127.0.0.1:1" }}
control {{ socket = "{self.socket}" }}
timeouts {{ drain = 2 }}
user = "root"
trace {{ %s }}
{more}
"""
        self.configure(trace)
        self.child = None

    def configure(self, trace):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(self.text % trace)

    def start(self):
        self.log = open(self.file + ".log", "w+", encoding="utf-8")
        self.child = subprocess.Popen([PARLEYD, "-c", self.file], stderr=self.log, cwd=self.folder)
        for _ in range(400):
            if os.path.exists(self.socket) or self.child.poll() is not None:
                break
            time.sleep(0.05)
        assert self.child.poll() is None, self.logged()

    def stop(self):
        if self.child is None or self.child.poll() is not None:
            return
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(20) == 0, self.logged()
        text = self.logged()
        assert "ERROR: AddressSanitizer" not in text and "runtime error" not in text, text

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self, **request):
        return ask(self.socket, **request)

    def files(self, suffix=".jsonl"):
        if not os.path.isdir(self.traces):
            return []
        return sorted(os.path.join(self.traces, name) for name in os.listdir(self.traces) if name.endswith(suffix))


class Pair:
    """Two of them, alpha.example and beta.example, with certificates."""

    def __init__(self, policy, alpha_trace='directory = "alpha.example.traces"', trusted=True, more=""):
        self.temporary = tempfile.TemporaryDirectory()
        folder = self.temporary.name
        ports = free_port(), free_port()
        names = "alpha.example", "beta.example"
        with open(os.path.join(folder, "resolv.conf"), "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.1@%d\n" % free_port())
        pem = ""
        for name in names:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", name + ".key", "-out", name + ".crt", "-days", "30", "-subj", "/CN=" + name,
                            "-addext", "subjectAltName=DNS:" + name], cwd=folder, check=True, capture_output=True)
            os.chmod(os.path.join(folder, name + ".key"), 0o600)
            with open(os.path.join(folder, name + ".crt"), encoding="utf-8") as file:
                pem += file.read()
        if not trusted:
            with open(os.path.join(folder, names[0] + ".crt"), encoding="utf-8") as file:
                pem = file.read()
        with open(os.path.join(folder, "both.crt"), "w", encoding="utf-8") as file:
            file.write(pem)
        self.alpha = Server(folder, names[0], ports[0], names[1], ports[1], policy, alpha_trace, more)
        self.beta = Server(folder, names[1], ports[1], names[0], ports[0], policy,
                           'directory = "beta.example.traces"')

    def __enter__(self):
        self.alpha.start()
        self.beta.start()
        return self

    def __exit__(self, *unused):
        self.alpha.stop()
        self.beta.stop()
        self.temporary.cleanup()

    def ping(self, to="beta.example"):
        return self.alpha.ask(verb="ping", **{"from": "alpha.example", "to": to, "timeout": 20})


validator = None
if jsonschema is not None:
    with open(SCHEMA, encoding="utf-8") as file:
        contents = json.load(file)
    jsonschema.Draft7Validator.check_schema(contents)
    validator = jsonschema.Draft7Validator(contents)


def check(text):
    """Records that are good one by one, and a trace that is whole."""
    assert SECRET not in text
    assert not re.search(r"[0-9a-f]{64}</db:", text), "a dialback key"
    records = [json.loads(line) for line in text.splitlines()]
    for record in records:
        faults = [fault.message for fault in validator.iter_errors(record)] if validator else []
        assert not faults, (record, faults)
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert records[0]["event"] == "trace.begin" and records[-1]["event"] == "trace.end"
    assert len({record["trace"] for record in records}) == 1
    return records


def read(path):
    assert NAME.fullmatch(os.path.basename(path)), path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    with open(path, encoding="utf-8") as file:
        return file.read()


POLICIES = {
    "sasl-over-tls": ("tls = required  sasl = required  dialback = no", True),
    "tls-dialback": ("tls = required  sasl = not-supported  dialback = yes", True),
    "tcp-dialback": ("tls = not-supported  sasl = not-supported  dialback = yes", True),
}


@test
def every_method_has_its_trace():
    for method, (policy, trusted) in POLICIES.items():
        pair = Pair(policy, 'directory = "alpha.example.traces"  pcap = yes', trusted)
        with pair:
            pong = pair.ping()
            assert pong["ok"] and pong["answered"], (method, pong, pair.alpha.logged())
            assert stat.S_IMODE(os.stat(pair.alpha.traces).st_mode) == 0o700
            last = pair.alpha.ask(verb="negotiations", since=0)
            deadline = time.time() + 10
            while not last["negotiations"] and time.time() < deadline:
                time.sleep(0.2)
                last = pair.alpha.ask(verb="negotiations", since=0)
            row = last["negotiations"][-1]
            assert row["method"] == method and row["result"] == "negotiated", (method, row)
            assert "lines" not in row
            whole = pair.alpha.ask(verb="negotiations", id=row["id"])["negotiations"]
            check(whole[0]["lines"])
            pair.alpha.stop()
            pair.beta.stop()
            results = set()
            for server in pair.alpha, pair.beta:
                assert server.files(), (method, server.logged())
                for path in server.files():
                    records = check(read(path))
                    events = {record["event"] for record in records}
                    results.add(records[-1]["detail"]["result"])
                    if records[-1]["detail"]["result"] == "negotiated":
                        assert records[-1]["detail"]["method"] == method, (method, records[-1])
                        assert {"established.open", "policy.step", "stream.header"} <= events, events
            assert "negotiated" in results and "failed" not in results, results
            packets = pair.alpha.files(".pcapng")
            assert len(packets) == len(pair.alpha.files()) and not pair.beta.files(".pcapng")
            for path in packets:
                assert NAME.fullmatch(os.path.basename(path)), path
                assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.path.getsize(path) > 500


@test
def a_failure_is_explained_without_preparation():
    with Pair(POLICIES["tcp-dialback"][0], "raw = negotiation") as pair:
        refusal = pair.alpha.ask(verb="trace", what="on", domain="beta.example")
        assert not refusal["ok"] and "directory" in refusal["error"], refusal
        assert pair.ping("gone.example")["answered"] is False
        deadline = time.time() + 10
        answer = pair.alpha.ask(verb="trace", what="last", domain="gone.example")
        while not answer["traces"] and time.time() < deadline:
            time.sleep(0.2)
            answer = pair.alpha.ask(verb="trace", what="last", domain="gone.example")
        assert len(answer["traces"]) == 1, answer
        records = check(answer["traces"][0]["lines"])
        assert records[-1]["detail"]["code"] == "tcp-refused", records[-1]
        assert records[-1]["detail"]["exit"] == 4
        shown = subprocess.run([PARLEY, "trace", "last", "-c", pair.alpha.file, "gone.example"], capture_output=True,
                               text=True, timeout=30)
        assert "tcp-refused" in shown.stdout, shown
        assert pair.alpha.ask(verb="trace", what="last", domain="beta.example")["traces"] == []
        assert not pair.alpha.files()
        for request in ({"what": "dance"}, {}, {"what": "on"}, {"what": "off"}, {"what": "last", "domain": "a b"},
                        {"what": "last", "domain": 5}):
            assert not pair.alpha.ask(verb="trace", **request)["ok"], request


@test
def traces_are_turned_on_and_off():
    policy = POLICIES["tcp-dialback"][0] + "  trace = no"
    with Pair(policy) as pair:
        alpha = pair.alpha

        def fail():
            before = len(alpha.files())
            assert pair.ping("gone.example")["answered"] is False
            time.sleep(2.5)
            return len(alpha.files()) - before

        assert fail() == 0
        for command, files in ("on", 1), ("off", 0), ("on", 1):
            done = subprocess.run([PARLEY, "trace", command, "-c", alpha.file, "gone.example"], capture_output=True,
                                  text=True, timeout=30)
            assert done.returncode == 0, done
            assert fail() == files, command
        # it stays over a reload, and the directory follows the configuration
        os.mkdir(os.path.join(alpha.folder, "second"), 0o700)
        alpha.configure('directory = "second"  file-bytes = 65536  directory-bytes = 65536')
        assert alpha.ask(verb="reload")["ok"], alpha.logged()
        alpha.traces = os.path.join(alpha.folder, "second")
        assert fail() == 1
        # a directory that cannot be had leaves all as it was
        with open(os.path.join(alpha.folder, "file"), "w", encoding="utf-8"):
            pass
        alpha.configure('directory = "second/not/there"')
        assert not alpha.ask(verb="reload")["ok"]
        assert fail() == 1


@test
def what_a_stranger_sends_is_kept_out_of_files():
    with Pair(POLICIES["tcp-dialback"][0]) as pair:
        port = int(re.search(r'listen "127.0.0.1:(\d+)"', pair.alpha.text).group(1))
        for payload in (b"", b"\x00\xff" * 50, b"GET / HTTP/1.0\r\n\r\n",
                        b"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' "
                        b"to='alpha.example' from='\xe2\x80\xae' version='1.0'>"):
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(payload)
                client.shutdown(socket.SHUT_WR)
                client.settimeout(5)
                while client.recv(4096):
                    pass
        time.sleep(1.5)
        rows = pair.alpha.ask(verb="negotiations", since=0)["negotiations"]
        assert len(rows) == 4, rows
        assert not pair.alpha.files(), [read(path) for path in pair.alpha.files()]
        for row in rows:
            check(pair.alpha.ask(verb="negotiations", id=row["id"])["negotiations"][0]["lines"])
        numbers = [row["number"] for row in rows]
        assert numbers == sorted(numbers, reverse=True)
        assert pair.alpha.ask(verb="negotiations", since=numbers[1])["negotiations"] == rows[:1]
        assert pair.alpha.ask(verb="negotiations", id="000000000000")["negotiations"] == []


COMPONENT = """
components { listen = "127.0.0.1:%d" }
component "echo.alpha.example" { secret = "%s" }
partner "echo.alpha.example" { %s  trace = %s }
"""
COMPONENT_SECRET = "what a component of this test proves"
HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
          "xmlns:stream='http://etherx.jabber.org/streams' to='%s'>")


class Service:
    """A local service (XEP-0114)."""

    def __init__(self, port, name="echo.alpha.example"):
        self.raw = socket.create_connection(("127.0.0.1", port), 5)
        self.raw.settimeout(10)
        self.say(HEADER % name)
        self.id = re.search("id='([0-9a-f]+)'", self.until("id='", ">")).group(1)

    def digest(self, secret=COMPONENT_SECRET):
        return hashlib.sha1((self.id + secret).encode()).hexdigest()

    def say(self, text):
        self.raw.sendall(text.encode())

    def until(self, *wanted):
        text = ""
        while not all(word in text for word in wanted):
            more = self.raw.recv(4096).decode()
            assert more, "closed: " + text
            text += more
        return text

    def end(self):
        while self.raw.recv(4096):
            pass
        self.raw.close()


def until(condition, seconds=15):
    deadline = time.time() + seconds
    while not condition() and time.time() < deadline:
        time.sleep(0.1)
    return condition()


def shown(path, *options):
    done = subprocess.run([PARLEY, "trace", "show", *options, path], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, (options, done)
    return done.stdout


@test
def components_have_traces_of_their_own():
    policy, port = POLICIES["tcp-dialback"][0], free_port()
    with Pair(policy, more=COMPONENT %
              (port, COMPONENT_SECRET, policy, "yes")) as pair:
        alpha = pair.alpha
        service = Service(port)
        digests = [service.digest()]
        service.say("<handshake>%s</handshake>" % digests[0])
        service.until("<handshake/>")
        service.say("<iq from='echo.alpha.example' to='alpha.example' id='1' type='get'>"
                    "<ping xmlns='urn:xmpp:ping'/></iq>")
        service.until("id='1'", "type='result'")
        service.say("</stream:stream>")
        service.end()
        assert until(lambda: len(alpha.files()) == 1), alpha.logged()
        assert until(lambda: "trace.end" in read(alpha.files()[0]))
        text = read(alpha.files()[0])
        records = check(text)
        assert {record["role"] for record in records} == {"component"}
        assert {record["hop"] for record in records[1:]} <= {"?>?", "echo.alpha.example>alpha.example"}
        assert [(r["dir"], r["event"]) for r in records] == [
            ("local", "trace.begin"), ("in", "tcp.accepted"), ("in", "stream.header"), ("out", "stream.header"),
            ("in", "stream.element"), ("out", "stream.element"), ("local", "policy.note"), ("in", "stanza.seen"),
            ("out", "stanza.seen"), ("in", "close.stream"), ("out", "close.stream"), ("out", "close.tcp"),
            ("local", "trace.end")], records
        assert records[4]["redacted"] == 1 and re.search(r"\[key#[0-9a-f]{4}\]</handshake>", records[4]["raw"])
        assert records[-1]["detail"]["result"] == "served" and records[-1]["detail"]["exit"] == 0
        # refused: kept among the failures as well, and told why
        service = Service(port)
        digests.append(service.digest("another"))
        service.say("<handshake>%s</handshake>" % digests[1])
        service.end()
        assert until(lambda: len(alpha.files()) == 2), alpha.logged()
        assert until(lambda: "trace.end" in read(alpha.files()[1]))
        text += read(alpha.files()[1])
        records = check(read(alpha.files()[1]))
        assert records[-1]["detail"]["code"] == "component-refused", records[-1]
        assert records[-1]["detail"]["why"] == "The handshake is wrong"
        assert "established.failed" in {record["event"] for record in records}
        for digest in digests:
            assert digest not in text
        assert COMPONENT_SECRET not in text
        for path, word in (alpha.files()[0], "attached"), (alpha.files()[1], "component-refused"):
            for options in (), ("-vv",), ("--format", "html"), ("--format", "svg"), ("--format", "mermaid"), \
                    ("--format", "json"):
                page = shown(path, *options)
                assert "echo.alpha.example" in page, (options, page)
                assert "policy: not known" not in page and "sasl=" not in page, page
            assert word in shown(path), shown(path)


@test
def components_push_nothing_out_of_memory():
    policy, port = POLICIES["tcp-dialback"][0], free_port()
    with Pair(policy, "raw = negotiation", more=COMPONENT %
              (port, COMPONENT_SECRET, policy, "no")) as pair:
        alpha = pair.alpha
        assert pair.ping("gone.example")["answered"] is False

        def last(domain):
            return alpha.ask(verb="trace", what="last", domain=domain, count=64)["traces"]

        assert until(lambda: len(last("gone.example")) == 1)
        before = alpha.ask(verb="negotiations", since=0)["negotiations"]
        for _ in range(70):
            service = Service(port)
            service.say("<handshake>%s</handshake>" % service.digest("another"))
            service.end()
        for _ in range(70):
            service = Service(port)
            service.say("<handshake>%s</handshake>" % service.digest())
            service.until("<handshake/>")
            service.raw.close()
        for _ in range(70):
            try:
                Service(port, "nobody.example")
            except AttributeError:
                pass
            except AssertionError:
                pass
        assert until(lambda: len(last("echo.alpha.example")) == 8), len(last("echo.alpha.example"))
        time.sleep(2.5)
        kept = last("echo.alpha.example")
        assert len(kept) == 8 and {trace["code"] for trace in kept} == {"component-refused"}, kept
        for trace in kept:
            check(trace["lines"])
        assert len(last("gone.example")) == 1 and last("nobody.example") == []
        assert alpha.ask(verb="negotiations", since=0)["negotiations"] == before


def main():
    status = cases.run(tests)
    if validator is None:
        print("# python3-jsonschema is missing: no record was held against the schema")
    return status


sys.exit(main())
