#!/usr/bin/env python3
"""record.py FOLDER...: takes from folders that `tools/interop --html` made one
negotiation for each peer, method (or code) and direction, and keeps it here as
PEER-METHOD-WAY.jsonl. To be run again when what a trace holds has changed."""

import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def negotiations(folder):
    with open(os.path.join(folder, "results.json"), encoding="utf-8") as file:
        for result in json.load(file):
            for case in result["cases"]:
                if not case["ok"]:
                    continue
                for way in "out", "in":
                    side = case[way]
                    if side["traces"]:
                        yield (result["peer"], side["code"] or side["negotiated"], way,
                               os.path.join(folder, "traces", side["traces"][0]))


def main():
    kept = {}
    for folder in sys.argv[1:]:
        for peer, what, way, path in negotiations(folder):
            # the peer's own stream is often part of the negotiation that we began
            if path not in kept.values():
                kept.setdefault((peer, what, way), path)
    for (peer, what, way), path in sorted(kept.items()):
        shutil.copy(path, os.path.join(HERE, "%s-%s-%s.jsonl" % (peer, what, way)))
        print(peer, what, way)


main()
