"""What the tests of both captures share: tshark, and TAP."""
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
