#!/usr/bin/env python3
"""parley watch: lines, and the screen inside a terminal (tmux), against a
control socket of the test's own.

usage: test_watch.py PARLEY SAMPLES; prints TAP.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PARLEY, SAMPLES = sys.argv[1:3]
ESCAPE = "\x1b[2Jevil\u202e"
tests = []


def test(function):
    tests.append(function)
    return function


def sample(name):
    with open(os.path.join(SAMPLES, name + ".jsonl"), encoding="utf-8") as file:
        return file.read()


def negotiation(number, remote="b.test", **more):
    row = {"number": number, "id": "%012x" % number, "time": "2026-11-22T12:03:%02d.500000Z" % number,
           "dir": "out", "local": "a.test", "remote": remote, "method": "sasl-over-tls", "row": 7,
           "result": "negotiated", "code": None, "ms": 55 + number}
    row.update(more)
    return row


FAILED = {"result": "failed", "code": "tls-not-offered", "method": "none", "dir": "in"}


class Daemon:
    """A control socket that answers as parleyd does."""

    def __init__(self, folder, rows=()):
        self.rows, self.streams, self.asked = list(rows), [], []
        self.lines = sample("sasl-over-tls")
        self.path = os.path.join(folder, "control.sock")
        self.conf = os.path.join(folder, "parley.conf")
        with open(self.conf, "w", encoding="ascii") as file:
            file.write('host "a.test" { }\ncontrol { socket = "%s" }\n' % self.path)
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def stop(self):
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                request = json.loads(client.makefile("rb").readline())
                self.asked.append(request)
                client.sendall(json.dumps(self.answer(request)).encode() + b"\n")

    def answer(self, request):
        if request["verb"] == "streams":
            return {"ok": True, "streams": self.streams}
        if "id" in request:
            return {"ok": True, "negotiations": [dict(row, lines=self.lines) for row in self.rows
                                                 if row["id"] == request["id"]]}
        return {"ok": True, "negotiations": [row for row in reversed(self.rows)
                                             if row["number"] > request["since"]]}


def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC")


def run(*arguments, timeout=20):
    return subprocess.run([PARLEY, "watch", *arguments], capture_output=True, text=True,
                          timeout=timeout, env=environment(), check=False)


class Terminal:
    """A program in a terminal; what it shows, and what it leaves behind."""

    def __init__(self, folder, *command, width=100, height=24):
        self.tmux = ["tmux", "-S", os.path.join(folder, "tmux.sock"), "-f", "/dev/null"]
        self.folder = folder
        ended = os.path.join(folder, "ended")
        shell = "%s; echo status=$?; stty -a | grep -o -E -e '-?icanon|-?echo ' ; touch %s; sleep 60" % (
            " ".join(command), ended)
        self.ended = ended
        subprocess.run([*self.tmux, "new-session", "-d", "-x", str(width), "-y", str(height), shell],
                       check=True, env=environment())

    def screen(self):
        return subprocess.run([*self.tmux, "capture-pane", "-p"], check=True, capture_output=True,
                              text=True).stdout

    def keys(self, *keys):
        subprocess.run([*self.tmux, "send-keys", *keys], check=True)

    def resize(self, width, height):
        subprocess.run([*self.tmux, "resize-window", "-x", str(width), "-y", str(height)],
                       check=True)

    def wait(self, *texts, without=(), seconds=10):
        """The screen once it shows all of these texts."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            if all(text in screen for text in texts) and not any(text in screen for text in without):
                return screen
            assert time.monotonic() < end, "wanted %r without %r:\n%s" % (texts, without, screen)
            time.sleep(0.05)

    def pid(self):
        shell = subprocess.run([*self.tmux, "display-message", "-p", "#{pane_pid}"], check=True,
                               capture_output=True, text=True).stdout.strip()
        return int(subprocess.run(["ps", "--ppid", shell, "-o", "pid="], check=True,
                                  capture_output=True, text=True).stdout.split()[0])

    def left(self, status):
        """It ended with that status and the terminal is as it was."""
        self.wait("status=%s" % status, "icanon", without=("-icanon", "parley watch: neg"))

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], check=False)


def on_terminal(rows, *arguments, **more):
    """Registers a test that gets a daemon and a terminal."""
    def register(function):
        def around(folder):
            daemon = Daemon(folder, rows)
            terminal = Terminal(folder, PARLEY, "watch", "-c", daemon.conf, *arguments, **more)
            try:
                function(daemon, terminal)
            finally:
                terminal.close()
                daemon.stop()
        around.__name__ = function.__name__
        if shutil.which("tmux"):
            test(around)
        return function
    return register


@test
def lines_as_they_come(folder):
    daemon = Daemon(folder, [negotiation(2, **FAILED), negotiation(1)])
    watch = subprocess.Popen([PARLEY, "watch", "-c", daemon.conf, "--count", "3"],
                             stdout=subprocess.PIPE, text=True, env=environment())
    try:
        first = [watch.stdout.readline().split() for _ in range(3)]
        daemon.rows.append(negotiation(3, ESCAPE))
        rest = watch.stdout.read()
        assert watch.wait(10) == 0
    finally:
        watch.kill()
        daemon.stop()
    assert first[0] == ["time", "dir", "local", "remote", "method", "row", "result", "ms"], first
    assert first[1] == ["12:03:01", "out", "a.test", "b.test", "sasl-over-tls", "7", "negotiated",
                        "56"], first
    assert first[2] == ["12:03:02", "in", "a.test", "b.test", "none", "7", "tls-not-offered",
                        "57"], first
    assert rest.count("\n") == 1 and "\\x1b[2JevilU+202E" in rest, rest


@test
def objects_as_they_come(folder):
    daemon = Daemon(folder, [negotiation(1), negotiation(2)])
    done = run("-c", daemon.conf, "--json", "--count", "2")
    daemon.stop()
    assert done.returncode == 0, done
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 2], done


@test
def no_daemon(folder):
    daemon = Daemon(folder)
    daemon.stop()
    done = run("-c", daemon.conf)
    assert done.returncode == 10 and "no parleyd runs" in done.stderr and not done.stdout, done


@test
def a_daemon_that_refuses(folder):
    daemon = Daemon(folder)
    daemon.answer = lambda request: {"ok": False, "error": "unknown verb", "exit": 2}
    done = run("-c", daemon.conf)
    assert done.returncode == 10 and "unknown verb" in done.stderr, done
    daemon.answer = lambda request: {"ok": True, "negotiations": "none"}
    done = run("-c", daemon.conf)
    assert done.returncode == 10 and "no negotiations" in done.stderr, done
    daemon.stop()


@test
def a_daemon_that_comes_back(folder):
    daemon = Daemon(folder, [negotiation(7)])
    watch = subprocess.Popen([PARLEY, "watch", "-c", daemon.conf, "--count", "2"], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    try:
        assert "b.test" in watch.stdout.readline() + watch.stdout.readline()
        daemon.stop()
        assert "waiting for it" in watch.stderr.readline()
        daemon.rows = [negotiation(1, "after.test")]
        daemon.start()
        out, err = watch.communicate(timeout=10)
    finally:
        watch.kill()
    assert "after.test" in out and "answers again" in err and watch.returncode == 0, (out, err)
    daemon.stop()


@test
def signals_end_lines(folder):
    daemon = Daemon(folder)
    watch = subprocess.Popen([PARLEY, "watch", "-c", daemon.conf], stdout=subprocess.PIPE, text=True,
                             env=environment())
    watch.stdout.readline()
    time.sleep(0.2)
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(10) == 0
    daemon.stop()


@test
def wrong_arguments(folder):
    for arguments in (["--count", "0"], ["--count", "x"], ["--nothing"], ["more"]):
        done = run(*arguments)
        assert done.returncode == 2 and done.stderr and not done.stdout, (arguments, done)
    done = run("--help")
    assert done.returncode == 0 and "usage: parley watch" in done.stdout, done


@on_terminal([negotiation(1), negotiation(2, "c.test", **FAILED)])
def list_and_ladder(daemon, terminal):
    screen = terminal.wait("negotiations  2 of 2", "12:03:01", "tls-not-offered", "Enter ladder")
    assert "sasl-over-tls" in screen and "57" in screen, screen
    terminal.keys("Up", "Enter")
    screen = terminal.wait("trace 000000000001", "line 1 of", "a.test")
    assert {"verb": "negotiations", "id": "000000000001"} in daemon.asked
    terminal.keys("Down", "Down", "Down")
    terminal.wait("line 4 of")
    terminal.keys("End")
    terminal.wait("exit 0")
    terminal.keys("g")
    terminal.wait("line 1 of")
    terminal.keys("q")
    terminal.wait("negotiations  2 of 2")
    daemon.rows.append(negotiation(3, "d.test"))
    terminal.wait("negotiations  3 of 3", "d.test")
    terminal.keys("q")
    terminal.left(0)


@on_terminal([negotiation(n, "peer%d.test" % n) for n in range(1, 60)])
def moving_and_resizing(daemon, terminal):
    terminal.wait("59 of 59", "peer59.test", without=("peer1.test",))
    terminal.keys("Home")
    terminal.wait("peer1.test", without=("peer59.test",))
    daemon.rows.append(negotiation(60, "peer60.test"))
    terminal.wait("60 of 60", "peer1.test", without=("peer60.test",))
    terminal.keys("G")
    terminal.wait("peer60.test")
    terminal.resize(60, 10)
    terminal.wait("peer60", without=("peer50",))
    terminal.keys("Enter")
    terminal.wait("trace 00000000003c")
    terminal.resize(130, 50)
    terminal.wait("trace 00000000003c", "exit 0")
    terminal.resize(8, 2)
    terminal.resize(100, 24)
    terminal.wait("trace 00000000003c")
    terminal.keys("Escape")
    terminal.wait("60 of 60")


@on_terminal([negotiation(1), negotiation(2, "c.test", **FAILED), negotiation(3, ESCAPE)])
def filter_pause_streams(daemon, terminal):
    terminal.wait("3 of 3", "\\x1b[2Jevil")
    terminal.keys("/")
    terminal.keys("-l", "NOT-offx")
    terminal.wait("/NOT-offx_")
    terminal.keys("BSpace", "Enter")
    terminal.wait("1 of 3", "filter: NOT-off", "c.test", without=("b.test",))
    terminal.keys("Escape")
    terminal.wait("3 of 3", "b.test")
    terminal.keys("p")
    terminal.wait("PAUSED")
    daemon.rows.append(negotiation(4, "late.test"))
    time.sleep(0.8)
    assert "late.test" not in terminal.screen()
    terminal.keys("p")
    terminal.wait("late.test", without=("PAUSED",))
    daemon.streams = [{"id": "3f2a01", "dir": "out", "local": "a.test", "remote": "live.test",
                       "method": "tls-dialback", "tls": "TLSv1.3", "row": 7, "age": 130,
                       "phase": "open"}]
    terminal.keys("Tab")
    terminal.wait("streams  1 of 1", "live.test", "2 min", "TLSv1.3", without=("late.test",))
    terminal.keys("Enter")
    terminal.wait("no ladder of its own")
    terminal.keys("Tab")
    terminal.wait("4 of 4")
    daemon.rows[3]["id"] = "gone"
    terminal.keys("Enter")
    terminal.wait("no longer has this trace")
    daemon.lines = "no trace at all"
    terminal.keys("Up", "Enter")
    terminal.wait("parleyd")


@on_terminal([negotiation(1)])
def a_daemon_that_is_lost(daemon, terminal):
    terminal.wait("1 of 1")
    daemon.stop()
    terminal.wait("NO ANSWER", "no parleyd runs", "b.test")
    daemon.rows = [negotiation(1, "again.test")]
    daemon.start()
    terminal.wait("2 of 2", "again.test", without=("NO ANSWER",))


@on_terminal([negotiation(1)])
def the_terminal_after_sigterm(_daemon, terminal):
    terminal.wait("1 of 1")
    os.kill(terminal.pid(), signal.SIGTERM)
    terminal.left(0)


@on_terminal([negotiation(1)])
def the_terminal_after_a_crash(_daemon, terminal):
    terminal.wait("1 of 1")
    os.kill(terminal.pid(), signal.SIGQUIT)
    terminal.left(131)


def main():
    print("1..%d" % len(tests))
    bad = 0
    for number, function in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory() as folder:
                function(folder)
            print("ok %d - %s" % (number, function.__name__), flush=True)
        except Exception:  # pylint: disable=broad-except
            bad += 1
            print("not ok %d - %s" % (number, function.__name__))
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    return 1 if bad else 0


if not shutil.which("tmux"):
    print("# tmux is not installed: the screen is not tested")
sys.exit(main())
