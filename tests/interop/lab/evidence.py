"""The evidence of a grid: a page with every case, and the trace behind each.

    FOLDER/index.html      the grid, a cell a case
    FOLDER/results.json    the same for programs
    FOLDER/traces/*.jsonl  what parleyd recorded, and *.html, each as a report
"""

import glob
import html
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from .parleyd import program

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 1.5rem auto; max-width: 100rem; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { border: 1px solid #8886; padding: .35rem .5rem; text-align: left; vertical-align: top }
thead th { position: sticky; top: 0; background: Canvas }
.good { background: #2e7d3222 } .bad { background: #c6282833 }
td a { text-decoration: none } td a:hover { text-decoration: underline }
small { opacity: .8 } .wide { overflow-x: auto }
details { margin: .3rem 0 } code { overflow-wrap: anywhere }
"""
TITLE = {"sasl-over-tls": "SASL over TLS", "tls-dialback": "TLS Dialback",
         "tcp-dialback": "TCP Dialback", "none": "none", "-": "nothing"}


def _outcomes(path):
    """(local, remote, way) of each outcome in a trace: the peer's own stream
    back to us is part of the negotiation that we began."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if '"established.' not in line:
                continue
            record = json.loads(line)
            detail = record["detail"]
            if record["event"] in ("established.open", "established.failed"):
                yield (detail.get("local"), detail.get("remote"),
                       "out" if record["role"] == "initiator" else "in")


def traces(folder):
    """{(local, remote, "in" or "out"): [path]}, by what the traces say."""
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        for key in _outcomes(path):
            if path not in found.setdefault(key, []):
                found[key].append(path)
    return found


def attach(cases, folder):
    """Every case learns of its traces; how many there are none for."""
    found, missing = traces(folder), 0
    for case in cases:
        for way, side in case.sides.items():
            side.traces = [os.path.basename(path)
                           for path in found.get((case.ours, case.domain, way), [])]
            missing += not side.traces
    return missing


def _report(path):
    """The trace as a page beside it; None where that failed."""
    page = path[:-len(".jsonl")] + ".html"
    done = subprocess.run([program("parley"), "trace", "export", "--format", "html", "--force",
                           "-o", page, path], capture_output=True, text=True, check=False)
    return None if done.returncode else page


class Book:
    """One folder for one run, which may hold several peers."""

    def __init__(self, folder):
        self.folder = folder
        self.traces = os.path.join(folder, "traces")
        os.makedirs(self.traces, exist_ok=True)

    def keep(self, folder):
        """Takes over the traces of a parleyd, and makes a page of each."""
        paths = []
        for path in glob.glob(os.path.join(folder, "*.jsonl")):
            paths.append(shutil.copy(path, self.traces))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return [path for path, page in zip(paths, pool.map(_report, paths)) if not page]

    def write(self, results):
        with open(os.path.join(self.folder, "results.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
        with open(os.path.join(self.folder, "index.html"), "w", encoding="utf-8") as file:
            file.write(page(results))


# ----- the page -----

def _side(way, side):
    got, expected = side["negotiated"], side["expected"]
    text = "%s: %s" % (way, TITLE.get(got, got))
    if side.get("traces"):
        name = side["traces"][-1][:-len(".jsonl")] + ".html"
        text = '<a href="traces/%s">%s</a>' % (html.escape(name, quote=True), html.escape(text))
    else:
        text = html.escape(text)
    if got != expected:
        text += " <small>(expected %s)</small>" % html.escape(TITLE.get(expected, expected))
    if side.get("code"):
        text += "<br><small>%s</small>" % html.escape(side["code"])
    return text


def _cell(case):
    mark = "✓" if case["ok"] else "✗"
    text = "%s %s<br>%s" % (mark, _side("out", case["out"]), _side("in", case["in"]))
    faults = list(case["faults"])
    for way in "out", "in":
        faults += ["%s: %s" % (way, fault) for fault in case[way]["faults"]]
    if faults:
        text += "<details><summary>%d faults</summary>%s</details>" % (
            len(faults), "".join("<code>%s</code><br>" % html.escape(fault) for fault in faults))
    return '<td class="%s">%s</td>' % ("good" if case["ok"] else "bad", text)


def _table(result):
    cases = result["cases"]
    policies = list(dict.fromkeys(case["peer_policy"] for case in cases))
    rows = sorted({case["row"] for case in cases})
    by_place = {(case["row"], case["peer_policy"]): case for case in cases}
    head = "".join("<th scope=col>%s<br><small>%s</small></th>" %
                   (html.escape(name), html.escape(result["policies"][name]))
                   for name in policies)
    body = ""
    for row in rows:
        body += "<tr><th scope=row>%d<br><small>%s</small></th>" % (
            row, html.escape(result["rows"][str(row)]))
        body += "".join(_cell(by_place[row, name]) if (row, name) in by_place else "<td></td>"
                        for name in policies) + "</tr>"
    good = sum(case["ok"] for case in cases)
    findings = "".join("<p class=bad>%s</p>" % html.escape(one) for one in result["findings"])
    return ("<h2>%s</h2><p>%d of %d cases as expected.</p>%s<div class=wide><table><thead><tr>"
            "<th scope=col>our row</th>%s</tr></thead><tbody>%s</tbody></table></div>" %
            (html.escape(result["peer"]), good, len(cases), findings, head, body))


def page(results):
    """A self-contained page; the reports behind it are files beside it."""
    return ("<!doctype html><html lang=en><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width,initial-scale=1'>"
            "<title>parley against real servers</title><style>%s</style>"
            "<h1>parley against real servers</h1><p>A row is our policy for the peer, a column "
            "one of the peer's; a cell says what was negotiated when we dialled (out) and when "
            "the peer did (in). Behind each is the recorded negotiation.</p>%s" %
            (STYLE, "".join(map(_table, results))))
