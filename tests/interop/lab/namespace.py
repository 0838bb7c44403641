"""A private network: the program starts itself again inside namespaces.

Inside there is a loopback interface of our own, a resolv.conf that leads to
our own name server, and (where the system lets us) a process id namespace,
whose end takes every process of the laboratory along.
"""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

MARK = "PARLEY_LAB_FOLDER"
NAME_SERVER = "127.0.0.53"

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


class Unavailable(Exception):
    """This machine does not let us have a private network."""


def inside():
    return MARK in os.environ


def folder():
    """The laboratory's folder; it is gone when the program has ended."""
    return os.environ[MARK]


def _ways():
    """The unshare command lines to try, the most private first."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    base = ["unshare", *user, "--net", "--mount"]
    yield base + ["--pid", "--fork", "--kill-child", "--mount-proc"]
    # A process id namespace without a /proc of its own confuses what reads
    # /proc/self, such as the leak check of the sanitizers: so there is none.
    yield base + ["--fork", "--kill-child"]
    # In a chroot that is no mount point the propagation cannot be changed.
    yield base + ["--propagation", "unchanged", "--fork", "--kill-child"]


def _way():
    if not shutil.which("unshare"):
        raise Unavailable("there is no unshare(1) here")
    said = ""
    for way in _ways():
        trial = subprocess.run(way + ["true"], capture_output=True, text=True)
        if trial.returncode == 0:
            return way
        said = trial.stderr.strip()
    raise Unavailable("no network namespace can be made here: " + said)


def output_inside(argv, keep=None):
    """As run_inside, with the standard output as text: (status, text)."""
    with tempfile.TemporaryFile("w+") as file:
        status = run_inside(argv, keep, file)
        file.seek(0)
        return status, file.read()


def run_inside(argv, keep=None, stdout=None):
    """Run argv inside and return its exit status; `keep` names a folder that
    is used and left behind instead of a temporary one."""
    way = _way()
    place = keep or tempfile.mkdtemp(prefix="parley-lab-")
    os.makedirs(place, exist_ok=True)
    environment = dict(os.environ, **{MARK: place})
    child = subprocess.Popen(way + argv, env=environment, stdout=stdout)

    def pass_on(number, _frame):
        child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    try:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


def enter(keep=None):
    """Go on inside; the caller's process only waits for the end."""
    if inside():
        _set_up()
        return
    sys.exit(run_inside([sys.executable, *sys.argv], keep))


def _set_up():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _loopback_up()
    place = folder()
    _cover("/etc/resolv.conf", place, "nameserver %s\noptions timeout:2\n" % NAME_SERVER)
    _cover("/etc/hosts", place, "127.0.0.1 localhost\n")
    _cover("/etc/nsswitch.conf", place,
           "passwd: files\ngroup: files\nhosts: files dns\n")


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(probe, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(probe, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def _cover(path, place, text):
    """Bind a file of ours over a file of the system, for us alone."""
    own = os.path.join(place, os.path.basename(path))
    with open(own, "w", encoding="ascii") as file:
        file.write(text)
    if not os.path.exists(path):
        return
    subprocess.run(["mount", "--bind", own, path], check=True)
