"""What the tests of both captures share: tshark, and TAP."""
import functools
import os
import subprocess
import sys
import tempfile
import traceback

tests = []
folder = tempfile.TemporaryDirectory(prefix="parley-capture-")


def test(function):
    tests.append(function)
    return function


def tshark(path, *arguments):
    """Lines of its output; its complaints are ours. No configuration of the user's."""
    environment = dict(os.environ, HOME=folder.name, XDG_CONFIG_HOME=folder.name)
    done = subprocess.run(["tshark", "-r", path, *arguments], capture_output=True, text=True, timeout=120,
                          env=environment)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert done.returncode == 0 and not complaints, done
    return done.stdout.splitlines()


def fields(path, only, *names, more=()):
    options = [word for name in names for word in ("-e", name)]
    return [line.split("\t") for line in tshark(path, *more, "-Y", only, "-T", "fields", *options)]


@functools.lru_cache(None)
def packets(path, *more):
    """Every packet as {field: value}: tshark starts slowly, so it is asked once for each file."""
    names = ("frame.protocols", "frame.time_relative", "frame.comment", "frame.packet_flags_direction",
             "_ws.col.Info", "_ws.col.Source", "_ws.col.Destination", "tcp.stream", "tcp.flags", "tcp.len",
             "tcp.checksum.status", "ip.checksum.status", "tls.handshake.ciphersuite", "exported_pdu.src_port",
             "exported_pdu.dst_port", "systemd_journal.message", "systemd_journal.priority")
    return [dict(zip(names, row)) for row in fields(path, "frame", *names, more=more)]


def main():
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for number, function in enumerate(tests, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:
            failed += 1
            print("# " + traceback.format_exc().replace("\n", "\n# "))
            print(f"not ok {number} - {name}", flush=True)
    sys.exit(1 if failed else 0)
