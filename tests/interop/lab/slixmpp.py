"""A slixmpp component (gateway.py) as a process of its own."""

import json
import os
import queue
import subprocess
import threading

from . import valgrind

# Debian's package belongs to Debian's Python, whatever stands first in PATH.
PYTHON = "/usr/bin/python3"
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gateway.py")


def available():
    try:
        done = subprocess.run([PYTHON, "-c", "import slixmpp"], capture_output=True, check=False)
    except OSError:
        return "python3-slixmpp"
    return None if done.returncode == 0 else "python3-slixmpp"


class Gateway:
    def __init__(self, domain, secret, address, port, *more):
        self.said = queue.Queue()
        self.child = subprocess.Popen(
            [*self.command(domain, secret, address, port), *more], cwd="/",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def command(self, domain, secret, address, port):
        # Not from the folder of this file, which has a module of that name.
        return [PYTHON, "-P", PROGRAM, domain, secret, address, str(port)]

    def _read(self):
        for line in self.child.stdout:
            self.heard(json.loads(line))
        self.heard(None)

    def heard(self, what):
        self.said.put(what)

    def wait(self, key, value, seconds=20):
        """What it says with this key and value; {} when it does not."""
        while True:
            try:
                what = self.said.get(timeout=seconds * valgrind.FACTOR)
            except queue.Empty:
                return {}
            if what is None or what.get(key) == value:
                return what or {}

    def tell(self, *words):
        self.child.stdin.write(" ".join(words) + "\n")
        self.child.stdin.flush()

    def ask(self, verb, *words):
        self.tell(verb, *words)
        return self.wait("answer", verb)

    def stop(self):
        try:
            self.child.stdin.write("end\n")
            self.child.stdin.close()
            self.child.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.child.kill()
            self.child.wait()
        return self.child.stderr.read()
