"""parleyd under test: its configuration, its pings, its outcome lines."""

import glob
import json
import os
import re
import signal
import subprocess

from . import outcome, valgrind
from .process import wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SANITIZER = re.compile(r"ERROR: (?:Address|Leak)Sanitizer|runtime error:|Assertion .* failed"
                       r"|==\d+== +(?:Invalid|Conditional jump|definitely lost)")


class Missing(Exception):
    """parleyd was not built."""


def program(name):
    """Path of a built program: $PARLEY_BUILD, or the newest build* folder."""
    place = os.environ.get("PARLEY_BUILD")
    places = [place] if place else glob.glob(os.path.join(ROOT, "build*"))
    found = []
    for place in places:
        found += glob.glob(os.path.join(place, "**", name), recursive=True)
    found = [path for path in found if os.path.isfile(path) and os.access(path, os.X_OK)]
    if not found:
        raise Missing("%s is not built: meson setup build && ninja -C build" % name)
    return max(found, key=os.path.getmtime)


def partner(name, policy=None, **settings):
    """A partner section. Keys with a dash are written with an underscore."""
    lines = []
    if policy:
        lines.append("tls = %s  sasl = %s  dialback = %s" %
                     (policy.tls, policy.sasl, "yes" if policy.dialback else "no"))
    for key, value in settings.items():
        lines.append("%s = %s" % (key.replace("_", "-"), _value(value)))
    return 'partner "%s" { %s }' % (name, "  ".join(lines))


def stretched(timeouts):
    """What parleyd itself waits for takes longer, too."""
    return re.sub(r"\d+", lambda found: str(int(found.group()) * valgrind.FACTOR), timeouts)


def _value(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "{ %s }" % ", ".join('"%s"' % one for one in value)
    if isinstance(value, str) and not re.fullmatch(r"[a-z-]+", value):
        return '"%s"' % value
    return str(value)


class Parleyd:
    """hosts: {domain: certificate variant, None for none}; partners: sections
    as partner() writes them; more: further configuration text;
    text: a whole configuration instead."""

    def __init__(self, lab, name, hosts, partners, *, address="127.0.0.1", port=5269,
                 direct=5270, listen=(), timeouts="dns = 4  connect = 3  negotiate = 10  drain = 2",
                 limits="", more="", dns="", wrapper=(), level="info", start=True, text=None):
        self.lab, self.name = lab, name
        self.address, self.port = address, port
        self.folder = lab.path("parleyd", name)
        self.file = os.path.join(self.folder, "parleyd.conf")
        self.socket = os.path.join(self.folder, "control.sock")
        self.wrapper = list(wrapper)
        self.hosts, self.partners = dict(hosts), list(partners)
        self.listen = ["%s:%d starttls" % (address, port)]
        if direct:
            self.listen.append("%s:%d direct" % (address, direct))
        self.listen += listen
        self.timeouts, self.limits, self.more = timeouts, limits, more
        self.dns, self.level = dns, level
        self.whole = text
        self.mark = 0           # outcomes() begins there in the log
        self.process = None
        self.write()
        if start:
            self.start()

    # Configuration.

    def write(self):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(self.configuration())

    def configuration(self):
        if self.whole:
            return self.whole
        lines = []
        for domain, variant in self.hosts.items():
            if variant:
                certificate, key = self.lab.certificates.get(domain, variant)
                lines.append('host "%s" { certificate = "%s"  private-key = "%s" }' %
                             (domain, certificate, key))
            else:
                lines.append('host "%s" { }' % domain)
        for place in self.listen:
            endpoint, kind = place.split()
            lines.append('listen "%s" { tls = %s }' % (endpoint, kind))
        lines += [
            'dialback { secret = "a secret of the laboratory" }',
            'trust { ca-file = "%s" }' % self.lab.certificates.ca,
            'dns { resolv-conf = "/etc/resolv.conf"  allow-loopback = yes  '
            'trust-anchor-file = "%s"  %s }' % (self.anchor(), self.dns),
            'timeouts { %s }' % stretched(self.timeouts),
            'limits { %s }' % (self.limits or "connections-per-address = 400  "
                               "connections-per-partner = 100"),
            'log { level = %s  format = json  destination = stderr }' % self.level,
            'user = "root"',
            'control { socket = "%s" }' % self.socket,
        ]
        return "\n".join(lines + self.partners + [self.more]) + "\n"

    def anchor(self):
        """Where there is no name server there is no anchor either."""
        path = self.lab.names.anchor
        return path if os.path.exists(path) else ""

    # Running.

    def start(self):
        under = valgrind.command(self.report()) if valgrind.ON else []
        self.process = self.lab.run("parleyd-" + self.name,
                                    [*self.wrapper, *under, program("parleyd"), "-c", self.file])
        self.process.wait_for(lambda: os.path.exists(self.socket), 30, "control socket")
        for place in self.listen:
            endpoint = place.split()[0]
            address, port = endpoint.rsplit(":", 1)
            self.process.wait_port(address.strip("[]"), int(port))

    def check(self):
        """parleyd -t: (exit status, what it says)."""
        done = subprocess.run([program("parleyd"), "-t", "-c", self.file], check=False,
                              capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout + done.stderr

    def reload(self):
        self.process.child.send_signal(signal.SIGHUP)

    def stop(self):
        """SIGTERM; the exit status."""
        return self.lab.stop(self.process)

    def log(self):
        return self.process.text()

    def report(self):
        """How the names of valgrind's reports begin."""
        return os.path.join(self.folder, "valgrind")

    def findings(self):
        """Sanitizer and assertion reports in the log, and what valgrind says. Of
        leaks it does so at the end, and the status tells as well."""
        return [text for text in self.log().splitlines() if SANITIZER.search(text)] + \
            valgrind.findings(self.report())

    # Asking.

    def command(self, *argv, timeout=60):
        verb, *rest = argv
        return subprocess.run([program("parley"), verb, "-c", self.file, *rest], check=False,
                              capture_output=True, text=True, timeout=timeout * valgrind.FACTOR)

    def ping(self, source, target, timeout=8):
        """(exit status, the JSON that ping prints or {})."""
        timeout *= valgrind.FACTOR
        done = self.command("ping", "--from", source, "--timeout", str(timeout), "--json",
                            target, timeout=timeout + 20)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, {"stdout": done.stdout, "stderr": done.stderr}

    def streams(self):
        done = self.command("streams", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else []

    def outcomes(self, **wanted):
        return outcome.outcomes(self.log()[self.mark:], **wanted)

    def wait_outcome(self, seconds=5, count=1, **wanted):
        """At least `count` outcome lines, or what there is after the time."""
        wait_until(lambda: len(self.outcomes(**wanted)) >= count, seconds)
        return self.outcomes(**wanted)
