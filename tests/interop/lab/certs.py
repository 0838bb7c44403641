"""Certificates, as tools/make-certs makes them."""

import os
import subprocess

TOOL = os.path.join(os.path.dirname(__file__), "..", "..", "..", "tools", "make-certs")


class Certificates:
    """`get("beta.example")` is a pair of paths; `make` makes many at once."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = os.path.join(folder, "ca.crt")
        self.rogue_ca = os.path.join(folder, "rogue-ca.crt")

    def make(self, *wanted):
        """wanted: (domain, variant) pairs."""
        missing = [pair for pair in wanted if not os.path.exists(self._path(*pair, "crt"))]
        if not missing:
            return
        arguments = [word for pair in missing for word in pair]
        subprocess.run([TOOL, self.folder, *arguments], check=True,
                       stdout=subprocess.DEVNULL)

    def get(self, domain, variant="valid"):
        self.make((domain, variant))
        return self._path(domain, variant, "crt"), self._path(domain, variant, "key")

    def renew(self, domain, variant="valid"):
        """Another key and certificate at the same place."""
        subprocess.run([TOOL, self.folder, domain, variant], check=True,
                       stdout=subprocess.DEVNULL)

    def _path(self, domain, variant, kind):
        return os.path.join(self.folder, "%s.%s.%s" % (domain, variant, kind))
