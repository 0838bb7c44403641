#!/usr/bin/env python3
"""Traces as captures: what tshark makes of them.

usage: test_pcapng.py PARLEY SAMPLES; prints TAP.
"""
import base64
import json
import os
import re
import struct
import subprocess
import sys

from capture import fields, folder, main, packets, test, tshark

PARLEY, SAMPLES = sys.argv[1:3]

NS = "xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='http://etherx.jabber.org/streams'"
TLS = "xmlns='urn:ietf:params:xml:ns:xmpp-tls'"
SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'"


class Trace:
    """A trace written by hand, event by event."""

    def __init__(self, trace="7f3c9a1e0b52", minute=3):
        self.trace, self.minute, self.records = trace, minute, []

    def add(self, direction, event, raw=None, stream="s1", enc="plain", summary="", us=None, **more):
        count = len(self.records)
        us = count * 1000 if us is None else us
        record = {"v": 1, "seq": count + 1, "ts": f"2026-11-22T12:{self.minute:02}:00.{us:06}Z", "mono_us": us,
                  "trace": self.trace, "stream": stream, "hop": "a.example>b.example", "role": "initiator",
                  "dir": direction, "stage": event.split(".")[0], "event": event, "level": "info", "enc": enc,
                  "summary": summary, "detail": {}, "len": len(raw or ""), "redacted": 0}
        if record["stage"] == "trace":
            record["stage"] = "policy"
        if raw is not None:
            record["raw"] = raw
        record.update(more)
        self.records.append(record)

    def text(self):
        return "".join(json.dumps(record) + "\n" for record in self.records)

    def elements(self):
        return [record for record in self.records if "raw" in record]


def dialback_trace(tls):
    """TLS Dialback over STARTTLS, or over direct TLS."""
    trace = Trace()
    address = "192.0.2.2:5270" if tls == "direct" else "192.0.2.2:5269"
    header = f"<?xml version='1.0'?><stream:stream {NS} from='a.example' to='b.example' version='1.0'>"
    answer = f"<stream:stream {NS} from='b.example' to='a.example' id='x' version='1.0'>"
    trace.add("local", "trace.begin", summary="a.example -> b.example")
    trace.add("dns", "dns.query", detail={"domain": "b.example"})
    trace.add("dns", "dns.answer", detail={"secure": True})
    trace.add("out", "tcp.connect", detail={"host": "x1.b.example", "port": 5269})
    trace.add("out", "tcp.connected", detail={"addr": address, "local": "192.0.2.1:40000", "us": 1000})
    if tls == "starttls":
        trace.add("out", "stream.header", header)
        trace.add("in", "stream.header", answer)
        trace.add("in", "features.offer", f"<stream:features><starttls {TLS}/></stream:features>")
        trace.add("local", "policy.choice", summary="TLS offered -> STARTTLS", detail={"choice": "starttls"})
        trace.add("out", "starttls.request", f"<starttls {TLS}/>")
        trace.add("in", "starttls.proceed", f"<proceed {TLS}/>")
    trace.add("out", "tls.start")
    trace.add("in", "tls.done", enc="tls", detail={"version": "TLSv1.3"})
    trace.add("out", "stream.header", header, enc="tls")
    trace.add("in", "stream.header", answer, enc="tls")
    trace.add("in", "features.offer", "<stream:features><dialback xmlns='urn:xmpp:features:dialback'/>"
              "</stream:features>", enc="tls")
    trace.add("local", "policy.step", level="debug")
    trace.add("out", "dialback.result", "<db:result from='a.example' to='b.example'>[key#3f9a]</db:result>",
              enc="tls", summary="key sent", redacted=1)
    trace.add("in", "dialback.result", "<db:result from='b.example' to='a.example' type='valid'/>", enc="tls",
              summary="valid")
    trace.add("local", "established.open", enc="tls", level="notice", summary="TLS Dialback")
    trace.add("out", "stanza.seen", "<iq type='get' id='1' from='a.example' to='b.example'>"
              "<ping xmlns='urn:xmpp:ping'/></iq>", enc="tls")
    trace.add("in", "error.stream", "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
              "</stream:error>", enc="tls", code="peer-stream-error", level="warning", summary="policy-violation")
    trace.add("out", "close.stream", "</stream:stream>", enc="tls")
    trace.add("local", "trace.end", level="error", code="peer-stream-error", summary="failed")
    return trace


def export(text, name="trace"):
    path = os.path.join(folder.name, name)
    with open(path + ".jsonl", "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([PARLEY, "trace", "export", "--force", "-o", path + ".pcapng", path + ".jsonl"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "", done
    return path + ".pcapng"


def dialback_capture(tls):
    path = os.path.join(folder.name, tls + ".pcapng")
    return path if os.path.exists(path) else export(dialback_trace(tls).text(), tls)


def elements(path):
    return [packet for packet in packets(path) if "xmpp" in packet["frame.protocols"].split(":")]


def entries(path):
    return [packet for packet in packets(path) if packet["systemd_journal.message"]]


@test
def every_element_is_a_packet():
    for tls in "starttls", "direct":
        path = dialback_capture(tls)
        assert len(elements(path)) == len(dialback_trace(tls).elements()), packets(path)
        assert len(elements(path)) + len(entries(path)) == len(packets(path))
        # A closing tag alone is none to its XML dissector, though one to the other.
        malformed = [packet["_ws.col.Info"] for packet in packets(path) if "malformed" in packet["frame.protocols"]]
        assert not malformed or len(malformed) == 1 and "STREAM END" in malformed[0], malformed
    assert len(tshark(path, "-Y", "xmpp")) == len(elements(path))


@test
def packets_know_their_ends():
    rows = {tuple(packet[name] for name in ("_ws.col.Source", "exported_pdu.src_port", "_ws.col.Destination",
                                            "exported_pdu.dst_port", "frame.packet_flags_direction"))
            for packet in elements(dialback_capture("starttls"))}
    assert rows == {("192.0.2.1", "40000", "192.0.2.2", "5269", "0x00000002"),
                    ("192.0.2.2", "5269", "192.0.2.1", "40000", "0x00000001")}, rows


@test
def unknown_packets_have_a_comment():
    found = elements(dialback_capture("starttls"))
    assert all(packet["frame.comment"] for packet in found), found
    unknown = [packet["frame.comment"] for packet in found if "UNKNOWN" in packet["_ws.col.Info"]]
    assert len(unknown) == 3, found
    assert unknown[0] == "s1 a.example>b.example out, tls: key sent [dialback.result] masked", unknown
    assert unknown[2] == "s1 a.example>b.example in, tls: policy-violation [error.stream, peer-stream-error]", unknown


@test
def decisions_stand_in_between():
    trace = dialback_trace("starttls")
    path = dialback_capture("starttls")
    found = entries(path)
    expected = [record for record in trace.records if "raw" not in record and record["event"] != "policy.step"]
    assert len(found) == len(expected), found
    messages = [packet["systemd_journal.message"] for packet in found]
    for message, record in zip(messages, expected):
        assert f"[{record['event']}" in message, (message, record)
    assert messages[0] == "s1 a.example>b.example local, plain: a.example -> b.example [trace.begin]", messages
    priorities = {"error": "3", "notice": "5", "info": "6"}
    assert ([packet["systemd_journal.priority"] for packet in found] ==
            [priorities[record["level"]] for record in expected]), found
    text = "\n".join(tshark(path, "-Y", "systemd_journal", "-V"))
    assert "7f3c9a1e0b52" in text and "TLSv1.3" in text, text[:2000]
    times = [float(packet["frame.time_relative"]) for packet in packets(path)]
    assert times == sorted(times) and abs(times[-1] - trace.records[-1]["mono_us"] / 1e6) < 1e-6, times


@test
def the_file_says_who_made_it():
    path = dialback_capture("direct")
    done = subprocess.run(["capinfos", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    assert re.search(r"Capture application: +parley \d", done.stdout), done.stdout
    assert "Number of interfaces in file: 1" in done.stdout, done.stdout
    assert "Name = parley" in done.stdout and "microseconds" in done.stdout, done.stdout


@test
def two_streams_and_two_traces():
    one, two = Trace(), Trace("0123456789ab", minute=2)
    for trace in one, two:
        trace.add("out", "tcp.connected", detail={"addr": "192.0.2.2:5269", "local": "192.0.2.1:40000"})
        trace.add("in", "tcp.accepted", stream="s2", detail={"addr": "[2001:db8::2]:41000",
                                                             "local": "[2001:db8::1]:5269"})
        trace.add("out", "starttls.request", f"<starttls {TLS}/>")
        trace.add("in", "starttls.request", f"<starttls {TLS}/>", stream="s2")
        trace.add("in", "starttls.request", f"<starttls {TLS}/>", stream="s3")
    path = export(one.text() + two.text())
    rows = fields(path, "xmpp", "_ws.col.Source", "exported_pdu.dst_port")
    assert rows == [["192.0.2.1", "5269"], ["2001:db8::2", "5269"], ["", ""]] * 2, rows
    # The one that began earlier comes first, wherever it stands in the file.
    text = "\n".join(tshark(path, "-Y", "systemd_journal", "-V"))
    assert text.index("0123456789ab") < text.index("7f3c9a1e0b52")


@test
def time_runs_on_when_the_clock_is_set_back():
    trace = Trace()
    trace.add("out", "starttls.request", f"<starttls {TLS}/>", us=10)
    trace.add("in", "starttls.proceed", f"<proceed {TLS}/>", us=500010, ts="2026-11-22T11:00:00Z")
    rows = tshark(export(trace.text()), "-T", "fields", "-e", "frame.time_epoch")
    assert rows == ["1795348980.000010000", "1795348980.500010000"], rows


@test
def hostile_texts():
    trace = Trace()
    evil = "x\x1b[31m\nPRIORITY=0\nMESSAGE=owned\r‮\x7f"
    trace.add("local", "policy.choice", summary=evil, detail={"a": evil, "b": "y" * 50000})
    trace.add("in", "error.stream", "<stream:error/>", summary=evil + "z" * 100000)
    path = export(trace.text())
    rows = fields(path, "systemd_journal", "systemd_journal.message", "systemd_journal.priority")
    assert len(rows) == 1 and rows[0][1] == "6", rows
    with open(path, "rb") as file:
        bytes_ = file.read()
    assert b"\x1b" not in bytes_ and "‮".encode() not in bytes_ and b"\nMESSAGE=owned" not in bytes_
    assert len(bytes_) < 20000, len(bytes_)


@test
def elements_of_any_size_and_kind():
    trace = Trace()
    trace.add("in", "stream.element", "", summary="no bytes at all")
    trace.add("in", "stream.element", "<a>" + "b" * 600000 + "</a>")
    trace.add("in", "stream.element", base64.b64encode(b"<a>\xff\x00</a>").decode(), raw_enc="b64")
    trace.add("in", "stream.element", "no base64", raw_enc="b64")
    trace.add("in", "stream.element", "====", raw_enc="b64")
    trace.add("in", "stream.element", "<message><body>" + "b" * 300, trunc=70000)
    path = export(trace.text())
    rows = fields(path, "frame", "frame.len", "frame.cap_len")
    assert len(rows) == 6, rows
    with open(path, "rb") as file:
        bytes_ = file.read()
    assert b"<a>\xff\x00</a>" in bytes_ and b"no base64" in bytes_
    assert int(rows[-1][0]) - int(rows[-1][1]) == 70000, rows
    assert int(rows[1][0]) > 600000 > 262144 > int(rows[1][1]), rows


@test
def blocks_are_whole():
    """Every block says its length at both ends, in units of four bytes."""
    for tls in "starttls", "direct":
        with open(dialback_capture(tls), "rb") as file:
            data = file.read()
        offset = 0
        while offset < len(data):
            length = struct.unpack_from("<I", data, offset + 4)[0]
            assert length % 4 == 0 and length >= 12
            assert struct.unpack_from("<I", data, offset + length - 4)[0] == length
            offset += length
        assert offset == len(data)


@test
def samples():
    """Real traces: as many packets as elements, none malformed."""
    names = sorted(os.listdir(SAMPLES)) if os.path.isdir(SAMPLES) else []
    for name in names:
        if not name.endswith(".jsonl"):
            continue
        with open(os.path.join(SAMPLES, name), encoding="utf-8") as file:
            text = file.read()
        records = [json.loads(line) for line in text.splitlines()]
        path = export(text, name)
        rows = fields(path, "!systemd_journal", "_ws.col.Protocol")
        raw = [record for record in records if record.get("raw")]
        assert len(rows) == len(raw), (name, rows)
        # Bytes that are no XML, or not all of it, are packets too, if nothing more.
        if not any("raw_enc" in record or "trunc" in record for record in raw):
            assert {row[0] for row in rows} <= {"XMPP/XML"}, (name, rows)


main()
