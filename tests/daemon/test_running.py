#!/usr/bin/env python3
"""A running parleyd: HTTP, service manager, drain.

usage: test_running.py PARLEYD PARLEY; prints TAP. Sends to loopback alone.
"""
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cases  # noqa: E402

PARLEYD, PARLEY = sys.argv[1:3]
tests = []


def test(function):
    tests.append(function)
    return function


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """parleyd with a host without certificate; ends with the block."""

    status = 0  # that it is to end with

    def __init__(self, more="", environment=None, before=None, listen=None, http=None,
                 control=None):
        self.folder = tempfile.TemporaryDirectory()
        self.port, self.http = listen or free_port(), http or free_port()
        self.file = os.path.join(self.folder.name, "parley.conf")
        self.socket = control or os.path.join(self.folder.name, "control.sock")
        hosts = os.path.join(self.folder.name, "hosts")
        with open(hosts, "w", encoding="utf-8") as file:
            file.write("127.0.0.1 localhost\n")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("""
host "alpha.example" { }
listen "127.0.0.1:%d" { tls = starttls }
dialback { secret = "a secret for this test alone" }
dns { resolv-conf = "%s"  trust-anchor-file = "/dev/null" }
partner "*" { tls = not-supported  sasl = not-supported  dialback = yes }
control { socket = "%s" }
http { listen = "127.0.0.1:%d" }
timeouts { drain = 2 }
user = "root"
%s
""" % (self.port, self.resolver(), self.socket, self.http, more))
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.child = subprocess.Popen([PARLEYD, "-c", self.file], stderr=self.log,
                                      env={**os.environ, **(environment or {})},
                                      preexec_fn=before, close_fds=before is None)

    def resolver(self):
        path = os.path.join(self.folder.name, "resolv.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.1@%d\n" % free_port())
        return path

    def __enter__(self):
        for _ in range(400):
            if "event=started" in self.text() or self.child.poll() is not None:
                return self
            time.sleep(0.05)
        raise AssertionError("parleyd did not start: " + self.text())

    def __exit__(self, *unused):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        status = self.child.wait(20)
        text = self.text()
        self.log.close()
        self.folder.cleanup()
        assert "Sanitizer" not in text and "runtime error" not in text, text
        assert status == self.status, (status, text)

    def text(self):
        with open(os.path.join(self.folder.name, "log"), encoding="utf-8") as file:
            return file.read()

    def get(self, path, method="GET"):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.http, path),
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.headers["Content-Type"], fault.read().decode()

    def ask(self, *argv):
        return subprocess.run([PARLEY, argv[0], "-c", self.file, *argv[1:]],
                              capture_output=True, text=True, timeout=60)


def samples(text):
    """{name{labels}: value} of an OpenMetrics text, whose form is checked."""
    assert text.endswith("# EOF\n"), text[-40:]
    found, types = {}, {}
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, "a family twice: " + name
            types[name] = kind
        elif not line.startswith("# HELP "):
            name, value = line.rsplit(" ", 1)
            assert name not in found, "a sample twice: " + name
            found[name] = float(value)
            base = name.split("{")[0]
            family = [t for t in types if base == t or base.startswith(t + "_")]
            assert family, "a sample without its family: " + name
            if types[family[-1]] == "counter":
                assert base.endswith("_total"), name
    return found


@test
def health_and_metrics():
    with Daemon() as daemon:
        assert daemon.get("/healthz") == (200, "text/plain; charset=utf-8", "ok\n")
        assert daemon.get("/readyz")[0] == 200
        status, kind, text = daemon.get("/metrics")
        assert status == 200 and kind.startswith("application/openmetrics-text"), kind
        before = samples(text)
        assert before['parley_negotiations_total{dir="out",method="sasl-over-tls",'
                      'result="negotiated",code=""}'] == 0
        done = daemon.ask("ping", "--from", "alpha.example", "--timeout", "9", "beta.example")
        assert done.returncode == 3, done
        after = samples(daemon.get("/metrics")[2])
        failed = [name for name in after if 'result="failed"' in name]
        assert failed and sum(after[name] for name in failed) == 1, failed
        assert 'dir="out"' in failed[0] and 'code="dns-' in failed[0], failed
        assert after['parley_stage_seconds_count{stage="dns"}'] == 1


def other_parser():
    """An interpreter that has the OpenMetrics parser of Prometheus, or None."""
    for python in sys.executable, "/usr/bin/python3":
        if subprocess.run([python, "-c", "import prometheus_client.openmetrics.parser"],
                          stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    return None


PARSE = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(json.dumps({f.name: [f.type, bool(f.documentation), len(f.samples)]
                  for f in text_string_to_metric_families(sys.stdin.read())}))
"""
FAMILIES = {
    "parley_build": "info", "parley_uptime_seconds": "gauge", "parley_negotiations": "counter",
    "parley_stage_seconds": "histogram", "parley_sessions": "gauge", "parley_negotiating": "gauge",
    "parley_stanzas": "counter", "parley_bounces": "counter", "parley_stream_resumptions": "counter",
    "parley_refused_connections": "counter", "parley_refused_stanzas": "counter",
    "parley_queued_stanzas": "gauge", "parley_queued_bytes": "gauge", "parley_contacts": "gauge",
    "parley_trace_dropped": "counter", "parley_certificate_not_after_seconds": "gauge"}


@test
def metrics_as_another_program_reads_them():
    with Daemon() as daemon:
        daemon.ask("ping", "--from", "alpha.example", "--timeout", "9", "beta.example")
        text = daemon.get("/metrics")[2]
        types = {name.split()[2]: name.split()[3] for name in text.splitlines() if name.startswith("# TYPE")}
        assert types == FAMILIES, types
        python = other_parser()
        if python is None:
            print("# python3-prometheus-client is not here: the form was checked by our own eyes alone")
            return
        done = subprocess.run([python, "-c", PARSE], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        read = json.loads(done.stdout)
        assert {name: kind for name, (kind, _, _) in read.items()} == FAMILIES, read
        assert all(told for _, told, _ in read.values()), read
        assert read["parley_stage_seconds"][2] > 10, read


@test
def reloads_cost_no_descriptors():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        more = COMPONENT % port + 'trace { directory = "%s" }\n' % os.path.join(folder, "traces")
        with Daemon(more) as daemon:
            services, counts = [], []
            for _ in range(4):      # each has a trace that began under another configuration
                assert daemon.ask("reload").returncode == 0
                services.append(Component(port))
                counts.append(len(os.listdir("/proc/%d/fd" % daemon.child.pid)) - len(services))
                services[-1].say("<presence from='a@echo.alpha.example' to='b@echo.alpha.example'/>")
            assert max(counts[1:]) <= counts[0], counts


def stanza(remote, number):
    return ("<message from='juliet@echo.alpha.example' to='romeo@%s.example' id='%d'><body>x</body></message>" %
            (remote, number))


@test
def what_waits_is_counted():
    port = free_port()
    with socket.socket() as silent:    # takes connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        more = COMPONENT % port + ('partner "mute.example" { tls = not-supported  sasl = not-supported '
                                   'dialback = yes  connect = "127.0.0.1:%d" }' % silent.getsockname()[1])
        with Daemon(more) as daemon:
            service = Component(port)
            for number in range(3):
                service.say(stanza("mute", number))
            peer, _ = silent.accept()
            found = {}
            for _ in range(100):
                found = samples(daemon.get("/metrics")[2])
                if found["parley_queued_stanzas"] == 3:
                    break
                time.sleep(0.05)
            assert found["parley_queued_stanzas"] == 3 and found["parley_queued_bytes"] > 200, found
            assert found['parley_negotiating{dir="out"}'] == 1, found
            queue, = json.loads(daemon.ask("queues", "--json").stdout)
            assert queue["bytes"] == found["parley_queued_bytes"] and queue["stanzas"] == 3, queue
            silent.close()      # nor another time
            peer.close()
            service.until(*("id='%d'" % number for number in range(3)))
            found = samples(daemon.get("/metrics")[2])
            assert found["parley_queued_stanzas"] == 0 and found["parley_queued_bytes"] == 0, found
            assert found['parley_bounces_total{condition="remote-server-timeout"}'] == 3, found


KEYS = {
    "streams": {"id", "dir", "local", "remote", "method", "tls", "cert", "row", "addr", "age",
                "phase"},
    "partners": {"partner", "type", "row", "tls", "sasl", "dialback", "out", "in", "queued"},
    "queues": {"local", "remote", "stanzas", "bytes", "negotiating", "code", "retry_ms"},
    "ping": {"answered", "ms", "code", "exit", "out", "in"},
    "close": {"exit", "count"}, "retry": {"exit", "count"}, "reload": {"exit", "errors", "warnings"},
    "drain": {"exit"}}


@test
def every_answer_as_json():
    port = free_port()
    with Daemon(COMPONENT % port) as daemon:
        service = Component(port)
        service.say(stanza("beta", 1))
        service.until("id='1'")         # cannot be reached: a pause is in force

        def answer(verb, *words, status=0):
            done = daemon.ask(verb, *words, "--json")
            assert done.returncode == status, done
            return json.loads(done.stdout)
        for verb in "streams", "partners", "queues":
            for one in answer(verb) or [None]:
                assert KEYS[verb] <= set(one or ()), (verb, one)
        for verb, words, status in (("ping", ("--from", "alpha.example", "--timeout", "9", "beta.example"), 3),
                                    ("close", ("beta.example",), 0), ("retry", ("beta.example",), 0),
                                    ("retry", ("never.example",), 1), ("reload", (), 0), ("drain", (), 0)):
            found = answer(verb, *words, status=status)
            assert KEYS[verb] <= set(found), (verb, found)
        assert daemon.child.wait(10) == 0


@test
def without_a_daemon():
    with Daemon() as daemon:
        daemon.child.terminate()
        assert daemon.child.wait(10) == 0
        for verb, words in (("streams", ()), ("s2s", ()), ("partners", ()), ("queues", ()), ("reload", ()),
                            ("drain", ()), ("close", ("b.example",)), ("retry", ("b.example",)),
                            ("ping", ("--from", "alpha.example", "b.example"))):
            for more in (), ("--json",):
                done = daemon.ask(verb, *words, *more)
                assert done.returncode == 10 and done.stdout == "", done
                assert daemon.socket in done.stderr and "no parleyd runs" in done.stderr, done


@test
def ready_until_it_stops():
    with Daemon() as daemon:
        assert daemon.get("/readyz")[:1] + daemon.get("/readyz")[2:] == (200, "ready\n")
        with socket.create_connection(("127.0.0.1", daemon.port), 5) as peer:
            peer.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' version='1.0' xmlns:stream="
                         b"'http://etherx.jabber.org/streams' from='beta.example' to='alpha.example'>")
            peer.recv(4096)
            assert daemon.ask("drain").returncode == 0
            # the peer does not close its side: for 2 seconds it is waited for
            assert daemon.get("/readyz")[::2] == (503, "stopping\n")
            assert daemon.get("/healthz")[0] == 200
            assert daemon.child.wait(10) == 0


HOST = """host "short.example" { certificate = "%s"  private-key = "%s" }
"""


@test
def a_certificate_that_ends_while_it_runs():
    with tempfile.TemporaryDirectory() as folder:
        crt, key = os.path.join(folder, "crt"), os.path.join(folder, "key")
        with open(os.path.join(folder, "conf"), "w", encoding="utf-8") as file:
            file.write("[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index\nnew_certs_dir=%s\nrand_serial=yes\n"
                       "default_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
                       "[e]\nsubjectAltName=DNS:short.example\n" % (folder, folder))
        open(os.path.join(folder, "index"), "w", encoding="utf-8").close()

        def openssl(*words):
            done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=short.example", "-keyout", key, "-out", os.path.join(folder, "csr"))
        end = int(time.time()) + 5
        openssl("ca", "-batch", "-config", os.path.join(folder, "conf"), "-selfsign", "-keyfile", key,
                "-in", os.path.join(folder, "csr"), "-out", crt, "-notext", "-startdate", "20200101000000Z",
                "-enddate", time.strftime("%Y%m%d%H%M%SZ", time.gmtime(end)))
        with Daemon(HOST % (crt, key)) as daemon:
            told = 'event=certificate-expiry local=short.example'
            assert "warning " + told in daemon.text(), daemon.text()
            found = samples(daemon.get("/metrics")[2])
            assert found['parley_certificate_not_after_seconds{host="short.example"}'] == end, found
            for _ in range(100):
                if "error " + told in daemon.text():
                    break
                time.sleep(0.1)
            assert "error " + told in daemon.text(), daemon.text()
            assert daemon.text().count(told) == 2, daemon.text()


@test
def nothing_else_is_served():
    with Daemon() as daemon:
        assert daemon.get("/etc/passwd")[0] == 404
        assert daemon.get("/metrics", "POST")[0] in (405, 501)
        status, kind, text = daemon.get("/")
        assert status == 200 and kind.startswith("text/html"), kind
        assert "<script" not in text
        with socket.create_connection(("127.0.0.1", daemon.http), 5) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n")
            raw.settimeout(5)
            answer = raw.recv(100)
            assert b" 200 " not in answer, answer


@test
def an_incoming_failure_is_counted():
    with Daemon() as daemon:
        with socket.create_connection(("127.0.0.1", daemon.port), 5) as peer:
            peer.sendall(b"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
                         b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
                         b"from='beta.example' to='nobody.example'>")
            peer.settimeout(5)
            while peer.recv(4096):
                pass
        found = samples(daemon.get("/metrics")[2])
        assert found['parley_negotiations_total{dir="in",method="none",result="failed",'
                     'code="host-unknown"}'] == 1, found


@test
def the_manager_is_told():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(10)
            with Daemon(environment={"NOTIFY_SOCKET": path,
                                     "WATCHDOG_USEC": "400000"}) as daemon:
                heard = []
                while not ("READY=1" in "\n".join(heard) and heard.count("WATCHDOG=1") > 2):
                    heard.append(manager.recv(4096).decode())
                assert daemon.ask("reload").returncode == 0
                while not any("RELOADING=1" in text for text in heard):
                    heard.append(manager.recv(4096).decode())
                while "READY=1" not in heard[-1]:
                    heard.append(manager.recv(4096).decode())
            while "STOPPING=1" not in heard[-1]:
                heard.append(manager.recv(4096).decode())


class Activated(Daemon):
    """A daemon that is born with some listening sockets. sockets: what to hand
    over, from descriptor 3 on; places: keyword arguments of Daemon."""

    def __init__(self, sockets, **places):
        global PARLEYD
        # LISTEN_PID must be the child's own number: a shell sets it.
        self.scripts = tempfile.TemporaryDirectory()
        wrapper = os.path.join(self.scripts.name, "run")
        with open(wrapper, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nLISTEN_PID=$$ LISTEN_FDS=%d exec '%s' \"$@\"\n" % (len(sockets), PARLEYD))
        os.chmod(wrapper, 0o755)

        def before():
            high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
            for i, fd in enumerate(high):
                os.dup2(fd, 3 + i)
                os.close(fd)
            os.closerange(3 + len(sockets), 3 + len(sockets) + 60)

        saved, PARLEYD = PARLEYD, wrapper
        try:
            super().__init__(before=before, **places)
        finally:
            PARLEYD = saved

    def __enter__(self):
        done = super().__enter__()
        self.until("event=started")
        return done

    def until(self, text):
        for _ in range(400):
            if text in self.text() or self.child.poll() is not None:
                break
            time.sleep(0.05)
        assert text in self.text(), self.text()

    def rewrite(self, old, new):
        with open(self.file, encoding="utf-8") as conf:
            text = conf.read()
        assert old in text, old
        with open(self.file, "w", encoding="utf-8") as conf:
            conf.write(text.replace(old, new))
        done = self.ask("reload")
        assert done.returncode == 0, (done, self.text())


def listening(address=("127.0.0.1", 0), mode=0o600):
    if isinstance(address, str):
        made = socket.socket(socket.AF_UNIX)
        made.bind(address)
        os.chmod(address, mode)
    else:
        made = socket.socket()
        made.bind(address)
    made.listen(5)
    return made


def port_of(made):
    return made.getsockname()[1]


def header(port, to="alpha.example", namespace="jabber:server", wanted=b"<stream:features>", source="beta.example"):
    with socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(("<?xml version='1.0'?><stream:stream xmlns='%s' version='1.0' xmlns:stream="
                      "'http://etherx.jabber.org/streams' from='%s' to='%s'>" % (namespace, source, to)).encode())
        peer.settimeout(5)
        heard = b""
        while wanted not in heard:
            more = peer.recv(4096)
            assert more, heard
            heard += more


BEHIND = """
components { listen = "127.0.0.1:%d" }
component "echo.alpha.example" { secret = "s" }
host "inner.example" { upstream = "127.0.0.1:1" }
gateway { listen = "127.0.0.1:%d" }
"""


@test
def sockets_are_taken_over():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "control")
        s2s, component, gateway, http, strange = (listening() for _ in range(5))
        control = listening(path)
        more = BEHIND % (port_of(component), port_of(gateway))
        strange_place = "127.0.0.1:%d" % port_of(strange)
        with Activated([strange, control, http, gateway, component, s2s], listen=port_of(s2s),
                       http=port_of(http), control=path, more=more) as daemon:
            # Nobody else holds them now, but for ours here, which do not accept.
            text = daemon.text()
            for made in (s2s, component, gateway, http):
                assert "127.0.0.1:%d: the service manager's socket\"" % port_of(made) in text, text
            assert path + ": the service manager's socket\"" in text, text
            told = [line for line in text.splitlines() if strange_place in line]
            assert len(told) == 1 and "closed" in told[0] and "warning" in told[0], text
            header(port_of(s2s))
            header(port_of(component), "echo.alpha.example", "jabber:component:accept", b"from='echo.alpha.example'")
            header(port_of(gateway), source="inner.example", to="far.example")
            assert daemon.get("/healthz")[0] == 200
            assert daemon.ask("streams").returncode == 0
            # Its descriptor is gone: ours is the last.
            strange.close()
            try:
                socket.create_connection(("127.0.0.1", int(strange_place.rsplit(":", 1)[1])), 5).close()
                raise AssertionError("somebody holds " + strange_place)
            except ConnectionRefusedError:
                pass
            # Away and back by reloads: the same socket each time.
            daemon.rewrite(more, "")
            assert daemon.text().count("cannot listen") == 0, daemon.text()
            daemon.rewrite("\nuser =", more + "\nuser =")
            header(port_of(component), "echo.alpha.example", "jabber:component:accept", b"from='echo.alpha.example'")
            header(port_of(gateway), source="inner.example", to="far.example")
            daemon.rewrite("http { listen", "#http { listen")
            daemon.rewrite("#http { listen", "http { listen")
            assert daemon.get("/healthz")[0] == 200
            assert "cannot listen" not in daemon.text(), daemon.text()
        assert os.path.exists(path), "the manager's path was removed"
        for made in (s2s, component, gateway, http, control):
            made.close()


@test
def a_control_socket_for_everybody_is_not_taken():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "control")
        control, other = listening(path, 0o666), socket.socket()
        with Activated([control, other], control=path) as daemon:
            text = daemon.text()
            assert "SocketMode=0600" in text and "no control socket" in text, text
            assert "descriptor 4, no listening stream socket" in text, text
            header(daemon.port)
        control.close()
        other.close()


@test
def drain_by_command():
    with Daemon() as daemon:
        done = daemon.ask("drain")
        assert done.returncode == 0, done
        assert daemon.child.wait(10) == 0
        assert daemon.ask("drain").returncode == 10


UNVERIFIED = """
partner "gamma.example" { tls = not-supported  sasl = not-supported  dialback = yes  type = unverified }
partner "delta.example" { tls = not-supported  sasl = not-supported  dialback = yes  type = verified }
"""
COMPONENT = """
components { listen = "127.0.0.1:%d" }
component "echo.alpha.example" { secret = "s" }
"""


class Component:
    """A local service (XEP-0114)."""

    def __init__(self, port):
        self.raw = socket.create_connection(("127.0.0.1", port), 5)
        self.raw.settimeout(10)
        self.say("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
                 " to='echo.alpha.example'>")
        text = self.until("id='", "from='", ">")
        stream = text.split("id='")[1].split("'")[0]
        self.say("<handshake>%s</handshake>" % hashlib.sha1((stream + "s").encode()).hexdigest())
        self.until("<handshake/>")

    def say(self, text):
        self.raw.sendall(text.encode())

    def until(self, *wanted):
        text = ""
        while not all(w in text for w in wanted):
            more = self.raw.recv(4096).decode()
            assert more, "closed: " + text
            text += more
        return text


def contacts(daemon):
    return samples(daemon.get("/metrics")[2])["parley_contacts"]


@test
def who_was_spoken_to_is_kept():
    with tempfile.TemporaryDirectory() as folder:
        port, file = free_port(), os.path.join(folder, "parley.db")
        more = UNVERIFIED + COMPONENT % port + 'store { file = "%s" }\n' % file
        with Daemon(more) as daemon:
            service = Component(port)
            for remote in ("gamma", "delta", "omega"):
                service.say("<message from='juliet@echo.alpha.example' to='romeo@%s.example' id='%s'/>" %
                            (remote, remote))
                service.until("id='%s'" % remote, "</message>")  # no such server; spoken to all the same
            assert contacts(daemon) == 1
            assert 'parley_refused_stanzas_total{reason="unverified"} 0\n' in daemon.get("/metrics")[2]
            types = {p["partner"]: p["type"] for p in json.loads(daemon.ask("partners", "--json").stdout)}
            assert types == {"*": "federated", "gamma.example": "unverified", "delta.example": "verified"}, types
            assert "unverified" in daemon.ask("partners").stdout
            assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
            # nobody else may have it, at the start or by a reload
            with Daemon(more.replace(str(port), str(free_port()))) as second:
                second.status = second.child.wait(10)
                assert second.status == 1
                assert "in use" in second.text(), second.text()
            time.sleep(1.3)
            daemon.child.send_signal(signal.SIGKILL)
            daemon.status = daemon.child.wait(10)
            assert daemon.status == -signal.SIGKILL
        with Daemon(more) as daemon:
            assert contacts(daemon) == 1
            # a reload may move it, and does not forget
            with open(daemon.file, encoding="utf-8") as conf:
                text = conf.read()
            with open(daemon.file, "w", encoding="utf-8") as conf:
                conf.write(text.replace(file, file + "2"))
            assert daemon.ask("reload").returncode == 0
            assert contacts(daemon) == 1
            with open(daemon.file, "w", encoding="utf-8") as conf:
                conf.write(text.replace(file, "/dev/full"))
            assert daemon.ask("reload").returncode == 2
            assert contacts(daemon) == 1
            with open(file + "3", "w", encoding="utf-8") as letter:
                letter.write("no database")
            with open(daemon.file, "w", encoding="utf-8") as conf:
                conf.write(text.replace(file, file + "3"))
            done = daemon.ask("reload")
            assert done.returncode == 2 and file + "3: it is damaged" in done.stdout + done.stderr, done
            assert contacts(daemon) == 1
        with open(file + "2", "r+b") as damaged:
            damaged.seek(4096)
            damaged.write(b"Z" * 4096)
        with Daemon(more.replace(file, file + "2")) as daemon:
            daemon.status = daemon.child.wait(10)
            assert daemon.status == 1
            assert "damaged" in daemon.text() and file + "2" in daemon.text(), daemon.text()


@test
def without_a_store_it_is_told():
    with Daemon(UNVERIFIED) as daemon:
        assert "forgotten at each restart" in daemon.text(), daemon.text()
        assert contacts(daemon) == 0


sys.exit(cases.run(tests))
