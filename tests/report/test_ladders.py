#!/usr/bin/env python3
"""parley trace, from outside: ladders in every look, files, filters, and what is done with broken input.

    test_ladders.py PARLEY SAMPLES GOLDEN [--update]

GOLDEN holds ladders as they were when somebody had read them aloud; --update writes those of now.
"""
import difflib
import fcntl
import json
import os
import pathlib
import pty
import re
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback
import unicodedata

parley, samples, golden = None, None, None

OURS = ["sasl-over-tls", "tls-dialback", "tcp-dialback", "tls-not-offered", "cannot-reach-us", "receiver", "hostile",
        "tcp-refused", "no-end", "component", "component-refused"]
# name of the golden file: sample and options
GOLDEN = {}
for sample in OURS:
    GOLDEN[f"{sample}.80.txt"] = (sample, ["--width", "80"])
    GOLDEN[f"{sample}.80.ascii.txt"] = (sample, ["--width", "80", "--ascii"])
    GOLDEN[f"{sample}.132.txt"] = (sample, ["--width", "132"])
for sample in ("sasl-over-tls", "tls-not-offered", "tcp-dialback"):
    GOLDEN[f"{sample}.80.color.txt"] = (sample, ["--width", "80", "--color", "always"])
GOLDEN["component.80.v.txt"] = ("component", ["--width", "80", "-v"])
for sample in ("tls-dialback", "hostile"):
    GOLDEN[f"{sample}.80.v.txt"] = (sample, ["--width", "80", "-v"])
    GOLDEN[f"{sample}.80.vv.ascii.txt"] = (sample, ["--width", "80", "-vv", "--ascii"])

ESCAPES = {"\x1b[36m", "\x1b[35m", "\x1b[1;32m", "\x1b[33m", "\x1b[1;31m", "\x1b[0m"}


def run(*arguments, status=0, env=None, stdin=None, utf8=True):
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    environment.update({"LC_ALL": "C.UTF-8" if utf8 else "C", "TERM": "xterm"})
    environment.update(env or {})
    done = subprocess.run([parley, "trace", *map(str, arguments)], capture_output=True, env=environment, timeout=60,
                          input=stdin)
    assert done.returncode == status, \
        f"{arguments}: {done.returncode}, not {status}\n{done.stdout.decode()[-800:]}{done.stderr.decode()[-800:]}"
    return done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def file_of(sample):
    return samples / f"{sample}.jsonl"


def cells(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in re.sub("\x1b\\[[0-9;]*m", "", line))


def plain(text):
    """No control of any kind but line feeds, and nothing that turns text round or hides it."""
    for c in text:
        assert c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp"), f"{c!r} in {text[:200]!r}"


# ----- ladders -----

def test_goldens(update=False):
    for name, (sample, options) in sorted(GOLDEN.items()):
        now, _ = run("show", *options, file_of(sample))
        path = golden / name
        if update:
            path.write_text(now, "utf-8")
            continue
        was = path.read_text("utf-8") if path.exists() else ""
        diff = "\n".join(difflib.unified_diff(was.splitlines(), now.splitlines(), "was", "is", lineterm=""))
        assert was == now, f"{name} (test_ladders.py --update, once you read it):\n{diff[:3000]}"


def test_no_line_is_wider_than_asked():
    for width in (80, 97, 132):
        for options in ([], ["-vvv"], ["--ascii", "-vvv"]):
            text, _ = run("show", "--width", width, *options, samples)
            for line in text.splitlines():
                assert cells(line) <= width, f"{cells(line)} > {width}: {line}"
            plain(text)
            if "--ascii" in options:
                text.encode("ascii")


def test_a_peer_writes_no_escapes():
    for options in (["--color", "always", "-vvv"], ["--format", "jsonl"], ["--format", "json"]):
        text, _ = run("show", *options, file_of("hostile"))
        for escape in re.findall("\x1b[^m]{0,6}m?", text):
            assert escape in ESCAPES, repr(escape)
        plain(re.sub("\x1b\\[[0-9;]*m", "", text))


def test_colour():
    sample = file_of("sasl-over-tls")
    piped, _ = run("show", sample)
    assert "\x1b" not in piped
    assert "\x1b" in run("show", "--color=always", sample)[0]
    assert "\x1b" in run("show", "--color=always", sample, env={"NO_COLOR": "1"})[0]
    assert run("show", "--color=never", sample)[0] == piped
    # Without colour nothing else changes.
    assert re.sub("\x1b\\[[0-9;]*m", "", run("show", "--color=always", sample)[0]) == piped


def terminal(columns, *arguments, env=None):
    """What it prints on a terminal of that width."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
    environment.update({"LC_ALL": "C.UTF-8", "TERM": "xterm"})
    environment.update(env or {})
    with subprocess.Popen([parley, "trace", *map(str, arguments)], stdout=side, env=environment) as process:
        os.close(side)
        text = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        assert process.wait(timeout=60) == 0
    os.close(main)
    return text.decode("utf-8").replace("\r\n", "\n")


def test_on_a_terminal():
    sample = file_of("tls-not-offered")
    for columns, width in ((60, 80), (80, 80), (100, 100), (132, 132), (300, 132)):
        text = terminal(columns, "show", sample)
        assert "\x1b[1;31mFAIL" in text
        assert re.sub("\x1b\\[[0-9;]*m", "", text) == run("show", "--width", width, sample)[0]
    assert "\x1b" not in terminal(80, "show", sample, env={"NO_COLOR": "1"})
    assert "\x1b" in terminal(80, "show", sample, env={"NO_COLOR": ""})
    assert "\x1b" not in terminal(80, "show", sample, env={"TERM": "dumb"})
    # Unknown: 80, or what COLUMNS says.
    assert run("show", sample)[0] == run("show", "--width", 80, sample)[0]
    assert run("show", sample, env={"COLUMNS": "120"})[0] == run("show", "--width", 120, sample)[0]
    assert run("show", sample, env={"COLUMNS": "x"})[0] == run("show", "--width", 80, sample)[0]


def test_a_locale_without_utf8_gets_ascii():
    sample = file_of("tls-dialback")
    assert run("show", sample, utf8=False)[0] == run("show", "--ascii", sample)[0]


def test_a_failure_ends_with_what_to_do():
    text, _ = run("show", file_of("tls-not-offered"))
    lines = text.splitlines()
    tail = lines[[i for i, line in enumerate(lines) if line.startswith("FAIL")][0]:]
    labels = [line[2:18].strip() for line in tail if line.startswith("  ") and line[2] != " "]
    assert labels == ["why:", "c.test offers:", "you require:", "would work:", "first step:"], labels
    whole = re.sub(r"\s+", " ", text)
    assert "c.test offers: dialback; no STARTTLS you require: STARTTLS, then EXTERNAL would work: " \
        "tls=optional|not-supported dialback=yes -> TCP Dialback (rows 3, 5, 9, 11, 15, 17), unencrypted" in whole
    assert "exit 7" in text


def test_who_called_back():
    assert "nobody connected to us" in run("show", file_of("cannot-reach-us"))[0]
    for sample in ("tls-dialback", "tcp-dialback", "receiver"):
        text, _ = run("show", file_of(sample))
        assert "the same key as on s1" in text and "nobody connected" not in text
    # Another key on the second connection is told.
    other = file_of("tls-dialback").read_text("utf-8").splitlines()
    other = [line.replace("key#3f9a", "key#aaaa") if '"stream":"s2"' in line else line for line in other]
    assert "! not the key of s1, which was [key#3f9a]" in run("show", "-", stdin="\n".join(other).encode())[0]


# ----- lists, filters, files -----

def test_view_lists_and_draws():
    text, _ = run("view", samples)
    lines = text.splitlines()
    assert lines[0].split() == ["time", "dir", "from", "to", "method", "result", "ms", "id"]
    assert len(lines) == 1 + len(list(samples.glob("*.jsonl")))
    assert "5ca1ab" in text and "tls-not-off.." in text
    plain(text)
    assert run("view", samples, "5ca1ab")[0] == run("show", file_of("tls-not-offered"))[0]
    assert run("show", samples, "5ca1ab1e0001")[0] == run("show", file_of("tls-not-offered"))[0]
    assert run("view", file_of("receiver"))[0] == run("show", file_of("receiver"))[0]
    for line in run("view", "--width", 80, samples)[0].splitlines():
        assert cells(line) <= 80, line


def test_filters():
    one = run("show", file_of("tls-not-offered"))[0]
    assert run("show", "--peer", "C.test", samples)[0] == one
    assert run("show", "--code", "tls-not-offered", samples)[0] == one
    assert run("show", "--id", "5ca1", samples)[0] == one
    assert run("show", "--since", "2026-11-22T12:06", samples)[0].count("-> ") >= 1
    run("show", "--since", "2027-01-01", samples, status=10)
    text, _ = run("show", "--stream", "s2", file_of("tls-dialback"))
    assert " s2 " in text and " s1 " not in text
    assert "OK  method: TLS Dialback" in text
    text, _ = run("show", "--stage", "stream", file_of("tls-not-offered"))
    assert "c.test offers:  dialback; no STARTTLS" in text, "a filter changes what is shown, not what is true"
    run("show", "--peer", "nobody.test", samples, status=10)
    for bad in (["--stage", "tsl"], ["--code", "tls-not-ofered"], ["--since", "yesterday"], ["--width", "20"],
                ["--format", "pdf"], ["--color", "red"], ["--nonsense"], ["--count", "3"]):
        _, err = run("show", *bad, samples, status=2)
        assert "parley trace show --help" in err, err
    assert "did you mean \"sasl\"" in run("show", "--stage", "sals", samples, status=2)[1]


def test_broken_input_is_told_with_its_line():
    good = file_of("tcp-refused").read_bytes()
    second = good.split(b"\n")[1]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.jsonl"
        for bad, words in ((b"\x1b[31m\n", "no JSON"), (b"{}\n", "missing"), (b'{"v":2}\n', "version 2"),
                           (second.replace(b'"dns"', b'"\\u001b]0;x"') + b"\n", "\\x1b]0;x")):
            path.write_bytes(good + bad)
            out, err = run("show", path, status=2)
            assert out == "" and f"{path}:{good.count(10) + 1}: " in err and words in err, err
            assert "\x1b" not in err
        path.write_bytes(good[:-40])
        out, err = run("show", path)
        assert "the last line was cut off" in err and "INCOMPLETE" in out
        path.write_bytes(b"")
        run("show", path, status=10)
        run("show", pathlib.Path(folder) / "none.jsonl", status=2)
        path.write_bytes(b"<html></html>")
        run("show", path, status=2)
    run("show", status=2)


def test_standard_input_and_several_files():
    data = file_of("receiver").read_bytes()
    assert run("show", "-", stdin=data)[0] == run("show", file_of("receiver"))[0]
    both, _ = run("show", file_of("receiver"), file_of("tcp-refused"))
    assert both == run("show", file_of("receiver"))[0] + "\n\n" + run("show", file_of("tcp-refused"))[0]


def test_output_files():
    sample = file_of("tcp-refused")
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "x.txt"
        text, _ = run("show", "-o", out, sample)
        assert text == "" and out.read_text() == run("show", sample)[0]
        assert out.stat().st_mode & 0o777 == 0o600
        out.write_text("mine")
        _, err = run("show", "-o", out, sample, status=2)
        assert "--force" in err and out.read_text() == "mine"
        out.chmod(0o644)
        run("show", "-o", out, "--force", sample)
        assert out.read_text() != "mine" and out.stat().st_mode & 0o777 == 0o600
        link = pathlib.Path(folder) / "link.txt"
        target = pathlib.Path(folder) / "target"
        target.write_text("target")
        link.symlink_to(target)
        run("show", "-o", link, sample, status=2)
        run("show", "-o", link, "--force", sample)
        assert target.read_text() == "target" and not link.is_symlink()
        run("show", "-o", "/dev/null", "--force", sample)
        assert pathlib.Path("/dev/null").is_char_device()
        run("show", "-o", pathlib.Path(folder) / "no" / "such", sample, status=10)
        assert sorted(p.name for p in pathlib.Path(folder).iterdir()) == ["link.txt", "target", "x.txt"]


def test_export_and_back():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for end, begin in (("html", b"<!DOCTYPE html>"), ("svg", b"<svg"), ("mmd", b"sequenceDiagram"),
                           ("json", b"{"), ("jsonl", b'{"v":1,'), ("prom", b"# TYPE"), ("pcapng", b"\n\r\r\n"),
                           ("txt", b"a.test -> ")):
            run("export", "-o", folder / f"x.{end}", file_of("tls-dialback"))
            assert (folder / f"x.{end}").read_bytes().startswith(begin), end
        assert (folder / "x.prom").read_bytes().endswith(b"# EOF\n")
        whole, _ = run("show", file_of("tls-dialback"))
        assert run("show", folder / "x.html")[0] == whole
        assert run("show", folder / "x.jsonl")[0] == whole
        assert run("show", "--format", "jsonl", folder / "x.html")[0] == (folder / "x.jsonl").read_text()
        run("export", "-o", folder / "all.html", samples)
        assert run("view", folder / "all.html")[0].count("\n") == 1 + len(list(samples.glob("*.jsonl")))
        _, err = run("export", "-o", folder / "all.svg", samples, status=2)
        assert "one trace" in err and not (folder / "all.svg").exists()
        run("export", file_of("receiver"), status=2)
        run("export", "-o", folder / "x.doc", file_of("receiver"), status=2)
    one = json.loads(run("show", "--format", "json", file_of("receiver"))[0])
    assert one["trace"] == "fee1deadbeef" and one["method"] == "tls-dialback"
    many = json.loads(run("show", "--format", "json", file_of("receiver"), file_of("tcp-refused"))[0])
    assert [o["code"] for o in many if "code" in o] == ["tcp-refused"]


# ----- compare, clean, count -----

def test_diff():
    assert run("diff", file_of("tls-dialback"), file_of("tls-dialback"))[0] == "no difference\n"
    # Names, ids, keys, addresses and times do not count, nor who closes.
    lines = [json.loads(line) for line in file_of("tls-dialback").read_text("utf-8").splitlines()]
    text = "".join(json.dumps(dict(line, mono_us=line["mono_us"] * 2, trace="ffffffffffff")) + "\n" for line in lines
                   if line["stage"] != "close")
    for old, new in (("3f9a", "0000"), ("id-tls", "other"), ("192.0.2.2", "192.0.2.99"), ("b.test", "z.test")):
        text = text.replace(old, new)
    again = "".join(json.dumps(dict(json.loads(line), seq=i + 1)) + "\n" for i, line in enumerate(text.splitlines()))
    run("diff", file_of("tls-dialback"), "-", stdin=again.encode())
    out, _ = run("diff", file_of("tls-dialback"), file_of("sasl-over-tls"), status=1)
    assert "+ s1  out   tls   sasl.auth EXTERNAL\n" in out
    assert "- end: negotiated, method tls-dialback\n" in out
    assert "+ end: negotiated, method sasl-over-tls\n" in out
    run("diff", file_of("tls-dialback"), status=2)
    run("diff", samples, file_of("receiver"), status=2)


def test_redact():
    for sample in OURS:
        raw = file_of(sample).read_text("utf-8")
        out, _ = run("redact", file_of(sample))
        for line in out.splitlines():
            assert json.loads(line)["redacted"] == 1
        for secret in ("a.test", "b.test", "c.test", "d.test", "e.test", "192.0.2.", "Test CA", "abababab", "0123456789abcdef",
                       "script", "alert", "AAAA", "parley.conf", "id-tls", "id-clear"):
            assert secret not in out, f"{secret} of {sample} is left"
        assert out.count("\n") == raw.count("\n")
        before, after = (json.loads(run("show", "--format", "json", "-", stdin=t.encode())[0]) for t in (raw, out))
        for key in ("method", "code", "stage", "exit", "row"):
            assert before.get(key) == after.get(key), f"{key} of {sample}"
        assert run("redact", "-", stdin=raw.encode())[0] == out, "the same every time"
    out, _ = run("redact", file_of("tls-dialback"))
    assert "[key#3f9a]" in out and "h1.name2.example" in out and "starttls" in out
    run("diff", file_of("tls-dialback"), "-", stdin=out.encode())


def test_stats():
    text, _ = run("stats", samples)
    count = len([path for path in samples.glob("*.jsonl") if not path.name.startswith("component")])
    assert text.startswith(f"{count} negotiations: {count - 1} outgoing, 1 incoming\n")
    answer = json.loads(run("stats", "--format", "json", samples)[0])
    assert answer["negotiations"] == count and answer["codes"]["tcp-refused"] == 1
    assert answer["stages_ms"]["dialback"]["max"] == 8013.3
    plain(text)


def test_replay_without_steps():
    out, _ = run("replay", file_of("tls-dialback"), status=10)
    assert "nothing to replay" in out


# ----- follow -----

def follow(*arguments, work):
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    with subprocess.Popen([parley, "trace", "follow", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment) as process:
        try:
            work()
            out, err = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
    return process.returncode, out.decode("utf-8"), err.decode("utf-8")


def test_follow():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        old = folder / "old.jsonl"
        old.write_bytes(file_of("tcp-refused").read_bytes())
        new = folder / "new.jsonl"
        lines = file_of("receiver").read_bytes()

        def write():
            time.sleep(1)
            with open(new, "wb", buffering=0) as out:
                for at in range(0, len(lines), 3000):
                    out.write(lines[at:at + 3000])
                    time.sleep(0.05)

        status, out, err = follow("--count", 1, "--timeout", 30, folder, work=write)
        assert status == 0, err
        assert "fee1de" in out and "0ff0ff" not in out, out
        assert out.count("\n") == lines.count(b"\n") and "trace.end" in out.splitlines()[-1]
        plain(out)
        status, out, err = follow("--all", "--count", 2, "--timeout", 30, "--format", "jsonl", folder, work=lambda: None)
        assert status == 0 and len([json.loads(line) for line in out.splitlines()]) == \
            lines.count(b"\n") + file_of("tcp-refused").read_bytes().count(b"\n")
        status, _, _ = follow("--timeout", 0.5, folder, work=lambda: None)
        assert status == 9
    run("follow", status=2)
    run("follow", "/no/such/file", status=2)


# ----- the daemon -----

class Daemon:
    """A control socket that answers as parleyd does, once for each answer that it is given."""

    def __init__(self, folder, *answers):
        self.asked, self.answers = [], answers
        self.conf = folder / "parley.conf"
        path = folder / "control.sock"
        self.conf.write_text(f'host "a.test" {{ }}\ncontrol {{ socket = "{path}" }}\n')
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        for answer in self.answers:
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rb") as lines:
                self.asked.append(json.loads(lines.readline()))
                connection.sendall(json.dumps(answer).encode() + b"\n")
        self.listener.close()


def test_last_on_and_off():
    lines = file_of("receiver").read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        daemon = Daemon(folder, {"ok": True, "traces": [{"lines": lines}]}, {"ok": True, "traces": []},
                        {"ok": True, "traces": [{"lines": lines}, {"lines": file_of("tcp-refused").read_text("utf-8")}]},
                        {"ok": True}, {"ok": True}, {"ok": False, "error": "no such thing \u001b[31m", "exit": 2},
                        {"ok": True, "traces": [{"lines": "{}\n"}]})
        assert run("last", "-c", daemon.conf)[0] == run("show", file_of("receiver"))[0]
        run("last", "-c", daemon.conf, "b.test", status=10)
        text, _ = run("last", "-c", daemon.conf, "--count", 2, "--failed", "--format", "jsonl")
        assert text.count("\n") == lines.count("\n") + 7
        assert "b.test: on" in run("on", "-c", daemon.conf, "b.test")[0]
        assert "b.test: off" in run("off", "-c", daemon.conf, "b.test")[0]
        run("on", "-c", daemon.conf, "b.test", status=2)
        run("last", "-c", daemon.conf, status=10)
        daemon.thread.join()
        assert daemon.asked == [
            {"verb": "trace", "what": "last", "count": 1},
            {"verb": "trace", "what": "last", "remote": "b.test", "count": 1},
            {"verb": "trace", "what": "last", "count": 2, "failed": True},
            {"verb": "trace", "what": "on", "remote": "b.test"}, {"verb": "trace", "what": "off", "remote": "b.test"},
            {"verb": "trace", "what": "on", "remote": "b.test"}, {"verb": "trace", "what": "last", "count": 1}]
        run("last", "-c", daemon.conf, status=10)
        run("on", "-c", daemon.conf, status=2)
        run("last", "-c", folder / "none.conf", status=2)


def test_help():
    for part in ("show", "view", "follow", "diff", "replay", "export", "redact", "stats", "last", "on", "off"):
        out, _ = run(part, "--help")
        assert out.startswith("usage: parley trace " + part) and "Exit status:" in out
        assert max(map(len, out.splitlines())) <= 80, [line for line in out.splitlines() if len(line) > 80]
    assert "did you mean \"show\"" in run("shwo", status=2)[1]
    run(status=2)


def main():
    global parley, samples, golden
    parley, samples, golden = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    if "--update" in sys.argv:
        golden.mkdir(exist_ok=True)
        test_goldens(update=True)
        return
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}")
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {name[5:].replace('_', ' ')}", flush=True)
        except Exception:
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="")
            print(f"not ok {number} - {name[5:].replace('_', ' ')}", flush=True)


if __name__ == "__main__":
    main()
