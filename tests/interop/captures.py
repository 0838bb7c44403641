#!/usr/bin/env python3
"""What parley probe captures, as tshark reads it.

The trace, the capture of its elements and the decrypted wire capture tell the
same: by count, and the wire byte by byte.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile

from lab import start
from lab.laboratory import Laboratory
from lab.parleyd import SANITIZER, program
from lab.peer import Server, Stream, server_context
from lab.tap import Tap

OURS, OUR_ADDRESS = "alpha.example", "127.0.61.1"
THEIRS, THEIR_ADDRESS = "full.example", "127.0.61.10"


class Careful(Server):
    """Calls back for dialback; keeps the keys that it was shown."""

    def __init__(self, *argv, **more):
        self.keys = []
        super().__init__(*argv, external=False, **more)

    def on_result(self, stream, element):
        ours, theirs = element.get("from"), element.get("to")
        self.keys.append(element.text)
        call = Stream.connect(OUR_ADDRESS, timeout=5)
        try:
            call.header(theirs, ours)
            call.expect("stream")
            call.read()
            call.send("<db:verify from='%s' to='%s' id='peer%d%s'>%s</db:verify>" %
                      (theirs, ours, stream.number, "t" if stream.tls else "", element.text))
            verdict = call.expect("verify").get("type")
        finally:
            call.close()
        stream.send("<db:result from='%s' to='%s' type='%s'/>" % (theirs, ours, verdict))


class Captures:
    """One probe with everything that it writes."""

    def __init__(self, lab, *argv):
        self.folder = tempfile.mkdtemp(dir=lab.path("out"))
        self.trace, self.elements, self.wire = (os.path.join(self.folder, name) for name in
                                                ("trace.jsonl", "elements.pcapng", "wire.pcapng"))
        self.plugin = os.path.join(self.folder, "parley.lua")
        certificate, key = lab.certificates.get(OURS, "valid")
        done = subprocess.run(
            [program("parley"), "probe", "--ca", lab.certificates.ca, "--resolv-conf",
             "/etc/resolv.conf", "--trust-anchor", lab.names.anchor, "--allow-loopback", "--from",
             OURS, "--cert", certificate, "--key", key, "--format", "jsonl", "-o", self.trace,
             "--pcap", self.elements, "--pcap-wire", self.wire, "--secrets", *argv, THEIRS],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
        self.said = "status %d\n%s%s" % (done.returncode, done.stdout, done.stderr)
        self.good = done.returncode == 0 and not SANITIZER.search(done.stderr)
        self.warned = "secret" in done.stderr
        if not self.good:
            return
        with open(self.trace, encoding="utf-8") as file:
            self.records = [json.loads(line) for line in file]
        with open(self.plugin, "wb") as file:
            subprocess.run([program("parley"), "wireshark-plugin"], stdout=file, check=True,
                           stderr=subprocess.DEVNULL, timeout=20)

    def tshark(self, path, *argv):
        environment = dict(os.environ, HOME=self.folder, XDG_CONFIG_HOME=self.folder)
        done = subprocess.run(["tshark", "-r", path, *argv], capture_output=True, text=True,
                              timeout=120, check=False, env=environment)
        complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line]
        if done.returncode != 0 or complaints:
            raise RuntimeError("tshark: status %d: %s" % (done.returncode, complaints))
        return done.stdout.splitlines()

    def sent(self, direction, encrypted, stream="s1"):
        """All elements of a connection as the trace has them, put together."""
        return "".join(record["raw"] for record in self.records
                       if record.get("raw") and record["dir"] == direction and
                       record["stream"] == stream and record["enc"] == ("tls" if encrypted else "plain"))

    def followed(self, encrypted, wire=None):
        """What went over the first connection: {direction: text}."""
        lines = self.tshark(wire or self.wire, "-X", "lua_script:" + self.plugin, "-q", "-z",
                            "follow,%s,raw,0" % ("tls" if encrypted else "tcp"))
        text = {"out": b"", "in": b""}
        # Node 0 is who was seen first; what it sent is not indented.
        ours_first = not any(line.startswith("Node 0: %s:" % THEIR_ADDRESS) for line in lines)
        for line in lines:
            data = line.strip()
            if data and all(letter in "0123456789abcdef" for letter in data):
                text["out" if ours_first != line.startswith("\t") else "in"] += bytes.fromhex(data)
        return {way: data if not encrypted else data.decode() for way, data in text.items()}


def tidy(text):
    """Without what belongs to no element."""
    return text.replace("\n", "").replace("<?xml version='1.0'?>", "")


def same(tap, name, got):
    """The three captures of one probe tell the same."""
    if not tap.case(got.good and got.warned, name + ": negotiated and captured", got.said):
        return
    count = len([record for record in got.records if record.get("raw")])
    lines = got.tshark(got.elements, "-Y", "xmpp")
    tap.case(len(lines) == count > 5, name + ": as many packets as elements, without options",
             "%d elements" % count, *lines)
    ends = set(got.tshark(got.elements, "-Y", "xmpp", "-T", "fields", "-e", "exported_pdu.ipv4_src", "-e",
                          "exported_pdu.src_port", "-e", "exported_pdu.ipv4_dst", "-e",
                          "exported_pdu.dst_port"))
    tap.case(all(len(line.split()) == 4 and "\t0" not in line for line in ends),
             name + ": both ends of each are known", *ends)
    masked = any(record.get("redacted") for record in got.records)
    decrypted = got.followed(True)
    for way in "out", "in":
        expected = tidy(got.sent(way, True))
        found = tidy(decrypted[way])
        good = (expected == found) if not masked else found.startswith("<stream:stream ")
        tap.case(expected and good, "%s: decrypted, it is what the trace has (%s)" % (name, way),
                 expected, found)
    bare = got.wire + ".bare"
    subprocess.run(["editcap", "--discard-all-secrets", got.wire, bare], check=True, timeout=60,
                   capture_output=True)
    tap.case(got.followed(True, bare) == {"out": "", "in": ""},
             name + ": without the secrets nothing is decrypted")
    private = [path for path in (got.trace, got.elements, got.wire) if os.stat(path).st_mode & 0o77]
    tap.case(not private, name + ": the files are their owner's alone", *private)


def peer(lab, kind=Server, version=None, **more):
    context = server_context(lab.certificates.get(THEIRS, "valid"))
    if version:
        context.maximum_version = version
    return kind(THEIRS, THEIR_ADDRESS, context=context, **more)


def starttls(tap, lab):
    for version in None, ssl.TLSVersion.TLSv1_2:
        server = peer(lab, version=version)
        got = Captures(lab, "--row", "2", "--starttls")
        same(tap, "STARTTLS, %s" % ("TLS 1.2" if version else "TLS 1.3"), got)
        if got.good:
            expected = tidy(got.sent("out", False)).encode()
            followed = got.followed(False)["out"].replace(b"\n", b"")
            tap.case(expected and followed.replace(b"<?xml version='1.0'?>", b"").startswith(expected),
                     "... and in clear before it", expected, followed[:1000])
        server.stop()


def direct_tls(tap, lab):
    for version in None, ssl.TLSVersion.TLSv1_2:
        server = peer(lab, version=version, direct=True, port=5270)
        got = Captures(lab, "--row", "2", "--direct-tls", "--connect", THEIR_ADDRESS + ":5270")
        same(tap, "direct TLS, %s" % ("TLS 1.2" if version else "TLS 1.3"), got)
        server.stop()


def dialback(tap, lab):
    server = peer(lab, Careful)
    got = Captures(lab, "--row", "13", "--listen", OUR_ADDRESS + ":5269")
    same(tap, "TLS Dialback", got)
    if not got.good:
        return
    key = server.keys[-1].encode()
    for path in got.trace, got.elements:
        with open(path, "rb") as file:
            tap.case(key not in file.read(), "no dialback key in " + os.path.basename(path))
    comments = got.tshark(got.elements, "-Y", "xmpp", "-T", "fields", "-e", "frame.comment")
    for event in "dialback.result", "dialback.verify":
        tap.case(any(event in line and "masked" in line for line in comments),
                 "a comment tells of " + event, *comments)
    journal = got.tshark(got.elements, "-Y", "systemd_journal", "-T", "fields", "-e",
                         "systemd_journal.message")
    for event in "trace.begin", "tls.done", "policy.choice", "established.open", "trace.end":
        tap.case(any("[" + event in line for line in journal), "a journal entry tells of " + event,
                 *journal)
    # Who has the wire and the secrets has everything: that is what it is for.
    tap.case(key.decode() in got.followed(True)["out"], "the wire capture has the key")
    server.stop()


def main():
    tap = Tap()
    reason = start.impossible()
    if not reason:
        for needed in "tshark", "editcap":
            if subprocess.run(["which", needed], capture_output=True, check=False).returncode:
                reason = needed + " is not installed"
    if reason:
        return tap.skip_all(reason)
    with Laboratory() as lab:
        lab.names.server(OURS, OUR_ADDRESS)
        lab.names.server(THEIRS, THEIR_ADDRESS)
        lab.names.start(lab)
        lab.certificates.make((OURS, "valid"), (THEIRS, "valid"))
        for case in starttls, direct_tls, dialback:
            case(tap, lab)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
