"""The servers on the bench, alike in what matters, and what is done to them.

Every server serves DOMAIN and a service comp.DOMAIN, with the same kind of
certificates, TLS required, EXTERNAL and dialback allowed, its log at "info".
The generator serves *.load.example: an unsigned zone, so that validating costs
nobody anything but the proof that there is no signature.
"""

import json
import subprocess

from lab import ejabberd, prosody
from lab.ejabberd import Ejabberd
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner, program
from lab.policy import OPTIONAL, REQUIRED, Policy
from lab.prosody import Prosody

POLICY = Policy(REQUIRED, OPTIONAL, True)
SECRET = "a secret of the bench"
LISTEN = "127.0.0.9"
DOMAINS = 12000
PATTERN = "p%d.load.example"
ADDRESSES = {"parleyd": "127.0.0.1", "prosody": "127.0.0.2", "ejabberd": "127.0.0.3"}


class Fault(Exception):
    """The bench cannot be set up."""


def domain(server):
    return server + ".bench.example"


def service(server):
    return "comp." + domain(server)


class Field:
    def __init__(self, wanted):
        self.lab = Laboratory()
        self.wanted = wanted
        self.servers = {}       # name: process id
        self.next_domain = 0

    def __enter__(self):
        self.lab.__enter__()
        try:
            self._start()
        except BaseException:
            self.lab.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.lab.__exit__()

    # Starting.

    def _start(self):
        lab = self.lab
        lab.certificates.make(("p0.load.example", "wildcard"),
                              *[(name(server), "valid") for server in ADDRESSES
                                for name in (domain, service)])
        for server, address in ADDRESSES.items():
            lab.names.server(domain(server), address)
            lab.names.server(service(server), address)
        lab.names.make_unsigned("load.example")
        lab.names.address("xmpp.load.example", LISTEN)
        for number in range(DOMAINS):
            lab.names.service(PATTERN % number, "xmpp.load.example", 5269)
        lab.names.start(lab)
        for server in self.wanted:
            missing = {"prosody": prosody, "ejabberd": ejabberd}.get(server)
            missing = missing and missing.available()
            if missing:
                print("%s is not installed: left out" % missing)
                continue
            start = getattr(self, "_" + server, None)
            if start is None:
                raise Fault("there is no server %s" % server)
            self.servers[server] = start().process.child.pid

    def _parleyd(self, more=""):
        name = service("parleyd")
        certificate, key = self.lab.certificates.get(name)
        return Parleyd(
            self.lab, "bench", {domain("parleyd"): "valid"}, [partner("*", POLICY)],
            address=ADDRESSES["parleyd"], direct=None,
            timeouts="negotiate = 60  idle = 3600  keepalive = 3600",
            limits="connections = 30000  connections-per-address = 30000",
            more='components { listen = "%s:5347" }\n'
                 'component "%s" { secret = "%s"  certificate = "%s"  private-key = "%s" }\n%s'
                 % (ADDRESSES["parleyd"], name, SECRET, certificate, key, more))

    def _prosody(self):
        certificate, key = self.lab.certificates.get(service("prosody"))
        return Prosody(
            self.lab, "bench", ADDRESSES["prosody"], POLICY, {domain("prosody"): "valid"},
            timeout=60,
            more='modules_disabled = { "c2s", "http", "posix" }\n'
                 'log = { info = "%s/prosody.log" }\n'
                 'component_interfaces = { "%s" }\ncomponent_ports = { 5347 }\n'
                 'Component "%s"\n component_secret = "%s"\n'
                 ' ssl = { certificate = "%s", key = "%s", cafile = "%s" }\n'
                 % (self.lab.path("prosody", "bench"), ADDRESSES["prosody"], service("prosody"),
                    SECRET, certificate, key, self.lab.certificates.ca))

    def _ejabberd(self):
        return BenchEjabberd(self.lab, "bench", ADDRESSES["ejabberd"],
                             {domain("ejabberd"): (POLICY, "valid")}, timeout=60)

    # Measuring.

    def bench(self, measurement, server, *more):
        """Runs `parley bench` and returns what it says, as a dict."""
        certificate, key = self.lab.certificates.get("p0.load.example", "wildcard")
        argv = [program("parley"), "bench", measurement, "--json", "--cert", certificate,
                "--key", key, "--ca", self.lab.certificates.ca]
        if server != "bare":
            address = ADDRESSES[server]
            argv += ["--target", address + ":5269", "--from-pattern", PATTERN,
                     "--component", address + ":5347", "--domain", service(server),
                     "--secret", SECRET, "--listen", LISTEN + ":5269",
                     "--pid", str(self.servers[server])]
        done = subprocess.run(argv + [str(word) for word in more], check=False,
                              capture_output=True, text=True, timeout=900)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {"fault": 1, "why": done.stderr.strip() or "status %d" % done.returncode}

    def fresh(self, count):
        """Domains that no server has looked up yet, as far as they reach."""
        first = self.next_domain
        if first + count > DOMAINS:
            first = 0
        self.next_domain = first + count
        return "--first", first

    def operations(self, negotiations, seconds, messages, streams, quick):
        """(name, function of a server) pairs."""
        def negotiate(*more, count=negotiations, fresh=False):
            place = {}

            def run(server):
                # The same domains for each server in this round.
                if "first" not in place:
                    place["first"] = self.fresh(count) if fresh else ()
                return self.bench("negotiate", server, "--to", domain(server), "--count", count,
                                  *place["first"], *more)
            return run

        def stanzas(number, size, *more):
            each = max(8 if number > 200 else 32, messages * (200 if size == 200 else 60) //
                       (200 * number))
            return lambda server: self.bench(
                "stanzas", server, "--to", service(server), "--streams", number,
                "--bytes", size, "--count", each, *more)

        def handshake(_):
            return self.bench("handshake", "bare", "--count", 5 * negotiations)

        def idle(server):
            # What a server needs once is no part of a stream's memory.
            self.bench("negotiate", server, "--to", domain(server), "--count", 20)
            return self.bench("idle", server, "--to", domain(server),
                              "--streams", 50 if quick else 1000, "--hold", seconds)

        # Memory that was freed is used again: the first to come shows it all.
        yield "idle", idle
        yield "handshake", handshake
        yield "in EXTERNAL", negotiate()
        yield "in EXTERNAL, one at a time", negotiate("--parallel", 1, count=negotiations // 2)
        yield "in dialback over TLS", negotiate("--method", "tls-dialback", fresh=True)
        yield "out EXTERNAL with DNS", negotiate("--out", fresh=True)
        for number in streams:
            for size in 200, 4096:
                yield "in %d B, %d streams" % (size, number), stanzas(number, size)
                yield "out %d B, %d streams" % (size, number), stanzas(number, size, "--out")
        yield "in 200 B, 8 streams, alone", stanzas(8, 200, "--burst", 1)
        yield "out 200 B, 8 streams, alone", stanzas(8, 200, "--out", "--burst", 1)


class BenchEjabberd(Ejabberd):
    """With a place for services."""

    def _configuration(self, lab, hosts, direct, timeout):
        text = super()._configuration(lab, hosts, direct, timeout)
        paths = "".join('  - "%s"\n' % path
                        for path in lab.certificates.get(service("ejabberd")))
        text = text.replace("certfiles:\n", "certfiles:\n" + paths, 1)
        return text.replace("modules: {}", """  -
    port: 5347
    ip: "%s"
    module: ejabberd_service
    hosts:
      "%s":
        password: "%s"
s2s_use_starttls: required
modules: {}""" % (self.address, service("ejabberd"), SECRET), 1)
