"""xmpp.js: fetched by npm into the build folder, outside the private network."""

import os
import shutil
import subprocess

from . import slixmpp
from .parleyd import ROOT

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "service.mjs")
PACKAGE, VERSION = "@xmpp/component", "0.13.1"


def folder():
    return os.path.join(os.environ.get("PARLEY_BUILD") or os.path.join(ROOT, "build"), "xmppjs")


def missing():
    """Fetches the library where it is not there; what stands in the way, or None."""
    for program in "node", "npm":
        if not shutil.which(program):
            return "%s is not installed" % program
    place = folder()
    if os.path.exists(os.path.join(place, "node_modules", *PACKAGE.split("/"))):
        return None
    os.makedirs(place, exist_ok=True)
    try:
        done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts",
                               "--fetch-retries", "1", "--prefix", place,
                               "%s@%s" % (PACKAGE, VERSION)], capture_output=True, text=True,
                              timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "npm got no %s within a minute" % PACKAGE
    return None if done.returncode == 0 else "npm cannot get %s here" % PACKAGE


class Service(slixmpp.Gateway):
    """A component of that library; told and heard as the slixmpp one is."""

    def command(self, domain, secret, address, port):
        return ["node", PROGRAM, folder(), domain, secret, address, str(port)]
