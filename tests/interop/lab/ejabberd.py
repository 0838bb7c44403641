"""ejabberd: one process, any number of virtual hosts with a policy each.

Erlang is called directly: ejabberdctl would change to the package's user and
folders, and wants a node name, which nothing here needs.
"""

import base64
import os
import re
import shutil
import socket
import threading
import time

from . import valgrind
from .peer import NS_SASL, Closed, Stream
from .policy import (NOT_SUPPORTED, OPTIONAL, REQUIRED, SASL, TCP_DIALBACK, TLS_DIALBACK, Policy)

NAME = "ejabberd"
CERTIFICATE = "valid"
CONTROL = "/usr/sbin/ejabberdctl"

# EXTERNAL cannot be switched off once a stream is encrypted.
POLICIES = {
    "all": Policy(OPTIONAL, OPTIONAL, True),
    "default": Policy(REQUIRED, OPTIONAL, True),
    "strict": Policy(REQUIRED, REQUIRED, False),
    "clear": Policy(NOT_SUPPORTED, NOT_SUPPORTED, True),
    "no-dialback": Policy(OPTIONAL, OPTIONAL, False),
}
QUICK = "all", "default", "clear"


def available():
    if not shutil.which("erl"):
        return "erlang-base"
    return None if os.path.exists(CONTROL) else "ejabberd"


def methods(policy):
    """What an ejabberd host of that policy accepts and uses."""
    return policy.methods()


def launch(lab, place, hosts):
    """One instance for all policies; hosts[policy] is the {domain: variant} of it."""
    everything = {domain: (POLICIES[name], variant)
                  for name, domains in hosts.items() for domain, variant in domains.items()}
    return dict.fromkeys(hosts, Ejabberd(lab, "all", place(1), everything))


def libraries():
    with open(CONTROL, encoding="utf-8") as file:
        return re.search(r"(?m)^ERL_LIBS='?([^'\n]+)", file.read()).group(1)


class Ejabberd:
    """hosts: {domain: (policy, certificate variant or None)}."""

    def __init__(self, lab, name, address, hosts, *, direct=None, timeout=6):
        self.address = address
        self.folder = lab.path("ejabberd", name)
        self.file = os.path.join(self.folder, "ejabberd.yml")
        self.log = os.path.join(self.folder, "ejabberd.log")
        self.users, self.lock = {}, threading.Lock()
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(self._configuration(lab, hosts, direct, timeout))
        environment = dict(
            os.environ, HOME=self.folder, ERL_LIBS=libraries(),
            EJABBERD_CONFIG_PATH=self.file, EJABBERD_LOG_PATH=self.log,
            ERL_CRASH_DUMP=os.path.join(self.folder, "crash.dump"))
        self.process = lab.run("ejabberd-" + name, [
            "erl", "-noinput", "+S", "2", "-mnesia", "dir", '"%s"' % lab.path("ejabberd", name, "db"),
            "-s", "ejabberd"], env=environment, cwd=self.folder)
        self.process.wait_port(address, 5222, 40)
        self.process.wait_port(address, 5269, 40)

    def _configuration(self, lab, hosts, direct, timeout):
        listen = [("5222", "ejabberd_c2s", ["starttls_required: false"]),
                  ("5269", "ejabberd_s2s_in", [])]
        if direct:
            listen.append((str(direct), "ejabberd_s2s_in", ["tls: true"]))
        lines = ["loglevel: info", "log_rotate_size: infinity",
                 "log_burst_limit_count: 100000", "hosts:"]
        lines += ['  - "%s"' % domain for domain in hosts]
        lines += ["certfiles:"]
        for domain, (_, variant) in hosts.items():
            if variant:
                lines += ['  - "%s"' % path for path in lab.certificates.get(domain, variant)]
        if lines[-1] == "certfiles:":
            lines.pop()
        lines += ['ca_file: "%s"' % lab.certificates.ca, 's2s_cafile: "%s"' % lab.certificates.ca,
                  "auth_method: [anonymous]", "anonymous_protocol: sasl_anon",
                  "negotiation_timeout: %d" % (timeout * valgrind.FACTOR), "s2s_timeout: 600",
                  "s2s_dns_timeout: 3", "s2s_dns_retries: 1", "listen:"]
        for port, module, more in listen:
            lines += ["  -", "    port: " + port, '    ip: "%s"' % self.address,
                      "    module: " + module] + ["    " + one for one in more]
        lines += ["modules: {}", "host_config:"]
        for domain, (policy, _) in hosts.items():
            starttls = {REQUIRED: "required", OPTIONAL: "optional", NOT_SUPPORTED: "false"}
            lines += ['  "%s":' % domain, "    s2s_use_starttls: " + starttls[policy.tls],
                      "    modules:", "      mod_ping: {}", "      mod_disco: {}"]
            if policy.dialback:
                lines.append("      mod_s2s_dialback: {}")
        return "\n".join(lines) + "\n"

    def ping(self, source, target, timeout=8):
        """A ping by an anonymous user of a domain of ejabberd's."""
        with self.lock:
            if source not in self.users:
                self.users[source] = User(self.address, source)
            user = self.users[source]
        return user.ping(target, timeout * valgrind.FACTOR)

    def negotiated(self, here, there):
        """What ejabberd's log says it authenticated, as seen from ejabberd."""
        found = {"in": [], "out": []}
        pattern = (r"\(([^)]*)\) Accepted (inbound|outbound) s2s (\S+) authentication "
                   r"(\S+) -> (\S+)")
        for transport, way, kind, source, target in re.findall(
                pattern, self.process.text(self.log)):
            pair = (there, here) if way == "inbound" else (here, there)
            if (source, target) != pair:
                continue
            tls = "tls" in transport
            method = SASL if kind == "EXTERNAL" else TLS_DIALBACK if tls else TCP_DIALBACK
            found["in" if way == "inbound" else "out"].append(method)
        return found


class User:
    """An anonymous client, which stays logged in."""

    def __init__(self, address, domain):
        self.lock, self.number = threading.Lock(), 0
        self.stream = Stream(socket.create_connection((address, 5222), 5), 5)
        self._header(domain)
        self.stream.send("<auth xmlns='%s' mechanism='ANONYMOUS'>%s</auth>" %
                         (NS_SASL, base64.b64encode(b"lab").decode()))
        self.stream.expect("success")
        self._header(domain)
        self.stream.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
                         "<resource>lab</resource></bind></iq>")
        self.jid = re.search(r"<jid>([^<]+)", self.stream.expect("iq").raw).group(1)

    def _header(self, domain):
        self.stream.send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' to='%s'"
                         " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>" % domain)
        self.stream.expect("stream")
        self.stream.expect("features")

    def ping(self, target, timeout):
        with self.lock:
            self.number += 1
            name = "lab%d" % self.number
            self.stream.send("<iq type='get' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>" %
                             (target, name))
            end = time.monotonic() + timeout
            try:
                while True:
                    self.stream.socket.settimeout(max(0.01, end - time.monotonic()))
                    element = self.stream.read()
                    if element.name == "iq" and element.get("id") == name:
                        return element.get("type") == "result", element.raw
            except Closed as closed:
                return False, str(closed)
