"""Prosody: one process per policy, any number of virtual hosts in it."""

import os
import re
import shutil
import socket

from . import valgrind
from .policy import (NOT_SUPPORTED, OPTIONAL, REQUIRED, SASL, TLS_DIALBACK, Policy)

NAME = "prosody"
CERTIFICATE = "valid"

# Policies that Prosody's settings can make. Its features and acts depend on
# the whole process, except for the modules, which a host can leave out.
POLICIES = {
    "all": Policy(OPTIONAL, OPTIONAL, True),
    "default": Policy(REQUIRED, OPTIONAL, True),
    "strict": Policy(REQUIRED, REQUIRED, False),
    "clear": Policy(NOT_SUPPORTED, NOT_SUPPORTED, True),
    "no-sasl": Policy(OPTIONAL, NOT_SUPPORTED, True),
    "tls-no-sasl": Policy(REQUIRED, NOT_SUPPORTED, True),
    "no-dialback": Policy(OPTIONAL, OPTIONAL, False),
    "secure-auth": Policy(REQUIRED, REQUIRED, True),
}
QUICK = "all", "default", "clear"


def available():
    return None if shutil.which("prosody") else "prosody"


def methods(policy):
    """What a Prosody of that policy accepts and uses, with sound certificates
    on both sides. s2s_secure_auth asks for a valid certificate, not for
    EXTERNAL: with dialback loaded, dialback over TLS passes."""
    allowed = policy.methods()
    if policy == POLICIES["secure-auth"]:
        allowed.append(TLS_DIALBACK)
    return allowed


def launch(lab, place, hosts):
    """Instances by policy; place(number) is an address, hosts[policy] the
    {domain: variant} of it."""
    return {name: Prosody(lab, name, place(number), POLICIES[name], hosts[name])
            for number, name in enumerate(hosts, 1)}


class Prosody:
    """hosts: {domain: certificate variant, or None for no certificate}."""

    def __init__(self, lab, name, address, policy, hosts, *, port=5269, direct=None,
                 timeout=6, without=None, modules=(), more=""):
        self.address, self.policy = address, policy
        self.without, self.modules = without or {}, modules
        self.folder = lab.path("prosody", name)
        self.file = os.path.join(self.folder, "prosody.cfg.lua")
        self.log = os.path.join(self.folder, "prosody.log")
        self.control = address, 5280
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(self._configuration(lab, hosts, port, direct, timeout, more))
        self.lab, self.name, self.port = lab, name, port
        self.traffic = os.path.join(self.folder, "traffic")     # as mod_lab writes it
        self.start()

    def start(self):
        """Also after kill()."""
        self.process = self.lab.run("prosody-" + self.name, ["prosody", "-F", "--config", self.file],
                                    env=dict(os.environ, HOME=self.folder))
        self.process.wait_port(*self.control)
        self.process.wait_port(self.address, self.port)

    def kill(self):
        """As if the machine had gone."""
        self.process.kill()
        self.lab.running.remove(self.process)

    def _modules(self):
        names = ["disco", "ping", "s2s_auth_certs", "lab"]
        if self.policy.tls != NOT_SUPPORTED:
            names.append("tls")
        if self.policy.sasl != NOT_SUPPORTED:
            names.append("saslauth")
        if self.policy.dialback:
            names.append("dialback")
        names += self.modules
        return names

    def _configuration(self, lab, hosts, port, direct, timeout, more):
        def lua(value):
            return str(value).lower() if isinstance(value, bool) else str(value)

        settings = {
            "run_as_root": True, "daemonize": False, "use_libevent": False,
            "pidfile": '"%s/prosody.pid"' % self.folder,
            "data_path": '"%s"' % self.folder,
            "certificates": '"%s"' % self.folder,
            "plugin_paths": '{ "%s" }' % os.path.dirname(os.path.abspath(__file__)),
            "modules_enabled": "{ %s }" % ", ".join('"%s"' % name for name in self._modules()),
            "modules_disabled": '{ "c2s", "http", "posix", "component" }',
            "interfaces": '{ "%s" }' % self.address,
            "lab_address": '"%s"' % self.address,
            "lab_traffic": '"%s/traffic"' % self.folder,
            "s2s_ports": "{ %d }" % port,
            "s2s_direct_tls_ports": "{ %s }" % (direct or ""),
            "s2s_require_encryption": self.policy.tls == REQUIRED,
            "s2s_secure_auth": self.policy.sasl == REQUIRED,
            "s2s_timeout": timeout * valgrind.FACTOR, "s2s_close_timeout": 1,
            "ssl": '{ cafile = "%s" }' % lab.certificates.ca,
            "unbound": '{ resolvconf = true, trustfile = "%s" }'
                       % lab.names.anchor,
            "log": '{ debug = "%s" }' % self.log,
            "storage": '"memory"', "statistics": '"none"', "archive_expires_after": '"never"',
        }
        text = "".join("%s = %s\n" % (key, lua(value)) for key, value in settings.items())
        text += more + "\n"
        for domain, variant in hosts.items():
            text += 'VirtualHost "%s"\n' % domain
            if domain in self.without:
                text += " modules_disabled = { %s }\n" % ", ".join(
                    '"%s"' % name for name in self.without[domain])
            if variant:
                # Ports with TLS from the first byte read a setting of their own.
                for setting in "ssl", "s2s_direct_tls_ssl":
                    text += ' %s = { certificate = "%s", key = "%s", cafile = "%s" }\n' % (
                        setting, *lab.certificates.get(domain, variant), lab.certificates.ca)
        return text

    def ping(self, source, target, timeout=8):
        """A ping from a domain of Prosody's: (answered, what it said)."""
        timeout *= valgrind.FACTOR
        with socket.create_connection(self.control, 2) as control:
            control.settimeout(timeout + 2)
            control.sendall(b"ping %s %s %d\n" % (source.encode(), target.encode(), timeout))
            said = control.makefile("rb").readline().decode(errors="replace").strip()
        return said == "ok", said

    def negotiated(self, here, there):
        """What Prosody's own log says it authenticated between two domains:
        {"in": [method...], "out": [...]}, as seen from Prosody."""
        found = {"in": [], "out": []}
        pattern = (r"lab: authenticated dir=(\w+) local=%s remote=%s mechanism=(\S+) secure=(\w+)"
                   % (re.escape(here), re.escape(there)))
        for direction, mechanism, secure in re.findall(pattern, self.process.text(self.log)):
            if mechanism == "EXTERNAL":
                method = SASL if secure == "yes" else "external-in-clear"
            else:
                method = "tls-dialback" if secure == "yes" else "tcp-dialback"
            found[direction].append(method)
        return found
