#!/usr/bin/env python3
"""parley bench on a parleyd: the figures are there, nothing is lost. How large
they are is no matter of this test."""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "interop"), os.path.dirname(HERE)]

from bench import field, table  # noqa: E402
from lab import start  # noqa: E402
from lab.parleyd import program  # noqa: E402
from lab.tap import Tap  # noqa: E402

field.DOMAINS = 64


def numbers(result, *keys):
    return all(isinstance(result.get(key), (int, float)) and result[key] > 0 for key in keys)


def measures(tap, servers):
    found = {}
    for name, operation in servers.operations(6, 1, 240, [8], True):
        who = "bare" if name == "handshake" else "parleyd"
        result = operation(who)
        found.setdefault(name, {})[who] = result
        if name == "handshake":
            good = numbers(result, "receiving_us", "initiating_us", "both_us")
        elif name == "idle":
            good = numbers(result, "streams", "rss_kb") and result["failed"] == 0
        elif " B, " in name:
            good = (numbers(result, "count", "cpu_us", "wall_us") and result["lost"] == 0
                    and result["disordered"] == 0)
        else:
            good = numbers(result, "count", "cpu_us", "p50_ms", "p99_ms") and not result["failed"]
        tap.case(good, name, result)
    text = table.table(found)
    tap.case(all(re.search("(?m)^%s .*[0-9]" % re.escape(name), text) for name in found
                 if name not in ("handshake", "idle")), "every operation has its line", text)


def words(*argv):
    done = subprocess.run([program("parley"), "bench", *argv], check=False, text=True,
                          capture_output=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def complains(tap, servers):
    """A server that refuses, and arguments that are wrong."""
    tap.case(words("--help")[0] == 0 and "--from-pattern" in words("--help")[1], "--help")
    for argv in (["negotiate"], ["frobnicate"], ["handshake", "--cert", "x"],
                 ["idle", "--streams", "0"], ["idle", "--from-pattern", "%s%d"],
                 ["idle", "--target", "localhost:1"]):
        status, out, said = words(*argv)
        tap.case(status == 2 and not out and said, "usage: " + " ".join(argv), status, said)
    result = servers.bench("negotiate", "parleyd", "--to", "nobody.example", "--count", 3)
    tap.case(result.get("failed") == 3 and result.get("why"), "a refusal is told", result)
    result = servers.bench("stanzas", "parleyd", "--to", "comp.parleyd.bench.example",
                           "--secret", "another")
    tap.case("no service" in result.get("why", ""), "a wrong secret is told", result)


def main():
    tap = Tap()
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    with field.Field(["parleyd"]) as servers:
        measures(tap, servers)
        complains(tap, servers)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
