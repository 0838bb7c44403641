"""The name server: one signed root zone of our own, served by nsd.

Names live under .example. The zone is signed, so that validating resolvers
need one trust anchor (`Names.anchor`) and DANE works; a domain can be made
`unsigned` (a delegation without DS) or `bogus` (a signature that does not fit).
"""

import glob
import hashlib
import os
import re
import shutil
import subprocess

from .namespace import NAME_SERVER

NSD = "/usr/sbin/nsd"


def available():
    """What is missing, or None."""
    if not (shutil.which("nsd") or os.path.exists(NSD)):
        return "nsd"
    if not shutil.which("ldns-signzone"):
        return "ldnsutils"
    return None


class Names:
    def __init__(self, folder):
        self.folder = folder
        self.records = []
        self.unsigned = {}      # domain: records of a zone of its own
        self.bogus = []         # owner names whose addresses are changed
        self.anchor = os.path.join(folder, "anchor.key")
        self.process = None

    # What the zone holds.

    def add(self, owner, kind, value):
        """One record; owner and target names are without the last dot."""
        for domain, records in self.unsigned.items():
            if owner == domain or owner.endswith("." + domain):
                records.append((owner, kind, value))
                return
        self.records.append((owner, kind, value))

    def address(self, name, *addresses):
        for address in addresses:
            self.add(name, "AAAA" if ":" in address else "A", address)

    def service(self, domain, target, port, service="xmpp-server", priority=0, weight=5):
        self.add("_%s._tcp.%s" % (service, domain), "SRV",
                 "%d %d %d %s." % (priority, weight, port, target))

    def no_service(self, domain, service="xmpp-server"):
        self.add("_%s._tcp.%s" % (service, domain), "SRV", "0 0 0 .")

    def server(self, domain, address, port=5269, direct=None):
        """A domain with one server, at xmpp.DOMAIN; `direct` is the port of
        direct TLS, where it has one; it is then the one to try first."""
        target = "xmpp." + domain
        self.address(target, address)
        self.service(domain, target, port, priority=1 if direct else 0)
        if direct:
            self.service(domain, target, direct, "xmpps-server")

    def tlsa(self, target, port, certificate, wrong=False):
        """TLSA 3 1 1 for the public key of a certificate file."""
        key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"],
                             check=True, capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                             input=key, check=True, capture_output=True).stdout
        digest = hashlib.sha256(der + (b"?" if wrong else b"")).hexdigest()
        self.add("_%d._tcp.%s" % (port, target), "TLSA", "3 1 1 " + digest)

    def make_unsigned(self, domain):
        """What is added under the domain from now on is not signed."""
        self.unsigned[domain] = []

    def make_bogus(self, name):
        """The addresses of that name will not fit their signature."""
        self.bogus.append(name)

    # The server.

    def start(self, lab):
        zones = {".": self._sign(self._root())}
        for domain, records in self.unsigned.items():
            zones[domain] = self._write(domain + ".zone", self._zone(domain + ".", records))
        with open(os.path.join(self.folder, "nsd.conf"), "w", encoding="ascii") as file:
            file.write(self._configuration(zones))
        self.again(lab)

    def again(self, lab):
        """Starts the server of start() again, once it was stopped."""
        file = os.path.join(self.folder, "nsd.conf")
        self.process = lab.run("nsd", [shutil.which("nsd") or NSD, "-d", "-c", file])
        self.process.wait_log("nsd started")

    def _configuration(self, zones):
        text = ('server:\n ip-address: %s\n port: 53\n username: ""\n chroot: ""\n'
                ' server-count: 1\n zonesdir: "%s"\n database: ""\n'
                ' pidfile: "%s/nsd.pid"\n xfrdfile: "%s/xfrd.state"\n'
                ' zonelistfile: "%s/zone.list"\n xfrdir: "%s"\n'
                'remote-control:\n control-enable: no\n' %
                (NAME_SERVER, *[self.folder] * 5))
        for name, path in zones.items():
            text += 'zone:\n name: "%s"\n zonefile: "%s"\n' % (name, path)
        return text

    def _root(self):
        records = list(self.records)
        for domain in self.unsigned:
            records.append((domain, "NS", "ns.%s." % domain))
            records.append(("ns." + domain, "A", NAME_SERVER))
        return self._zone(".", records)

    @staticmethod
    def _zone(origin, records):
        server = "ns." + origin.lstrip(".")
        lines = ["%s 60 IN SOA %s hostmaster.%s 1 3600 600 86400 5" %
                 (origin, server, origin.lstrip(".")),
                 "%s 60 IN NS %s" % (origin, server),
                 "%s 60 IN A %s" % (server, NAME_SERVER)]
        lines += ["%s. 60 IN %s %s" % record for record in records]
        return "\n".join(lines) + "\n"

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def _sign(self, text):
        def ldns(*argv):
            return subprocess.run(argv, cwd=self.folder, check=True, text=True,
                                  capture_output=True).stdout.strip()

        self._write("root.zone", text)
        base = ldns("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", ".")
        ldns("ldns-signzone", "-f", "root.signed", "root.zone", base)
        shutil.copy(os.path.join(self.folder, base + ".key"), self.anchor)
        for left in glob.glob(os.path.join(self.folder, base + ".*")):
            os.remove(left)
        path = os.path.join(self.folder, "root.signed")
        with open(path, encoding="ascii") as file:
            signed = file.read()
        for name in self.bogus:
            pattern = r"(?m)^(%s\.\s+\d+\s+IN\s+A\s+)\S+$" % re.escape(name)
            signed, count = re.subn(pattern, r"\g<1>127.9.9.9", signed)
            assert count, name
        return self._write("root.served", signed)
