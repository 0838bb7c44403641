"""Processes in the foreground, with a log file each and an end that is sure."""

import os
import re
import signal
import socket
import subprocess
import time

from . import valgrind


class NotReady(Exception):
    """A server did not start; the text says what it wrote last."""


def wait_until(condition, seconds, pause=0.02):
    """Poll until condition() is true; what it returned, or None."""
    end = time.monotonic() + seconds * valgrind.FACTOR
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            return None
        time.sleep(pause)


def port_open(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


class Process:
    """One server. Its standard output and error go to a log file."""

    def __init__(self, name, argv, log, env=None, cwd=None):
        self.name, self.log = name, log
        with open(log, "ab") as file:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                env=env, cwd=cwd, start_new_session=True)

    def text(self, path=None):
        try:
            with open(path or self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def running(self):
        return self.child.poll() is None

    def wait_for(self, condition, seconds, what):
        """Wait for readiness; a process that ended is not waited for."""
        wait_until(lambda: not self.running() or condition(), seconds)
        if not self.running() or not condition():
            raise NotReady("%s did not start (%s): %s" %
                           (self.name, what, self.text()[-2000:]))

    def wait_port(self, address, port, seconds=20):
        self.wait_for(lambda: port_open(address, port), seconds,
                      "%s:%d" % (address, port))

    def wait_log(self, pattern, seconds=20, path=None):
        self.wait_for(lambda: re.search(pattern, self.text(path)), seconds,
                      "log: " + pattern)

    def kill(self):
        """SIGKILL to the whole group."""
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.child.wait()

    def stop(self, seconds=5):
        """SIGTERM, then SIGKILL to the whole group; the exit status."""
        if self.running():
            self.child.terminate()
            try:
                self.child.wait(seconds * valgrind.FACTOR)
            except subprocess.TimeoutExpired:
                pass
        return self.kill()
