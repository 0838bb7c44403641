#!/usr/bin/env python3
"""Wire captures: tshark decrypts them, with the Lua file and the keys in them, and not without.

usage: test_wire.py WIRE_CAPTURE PARLEY; prints TAP.
"""
import os
import re
import struct
import subprocess
import sys

from capture import folder, main, packets, test, tshark

WIRE_CAPTURE, PARLEY = sys.argv[1:3]
PLUGIN = os.path.join(folder.name, "parley.lua")
LUA = ("-X", "lua_script:" + PLUGIN)
CHECKED = ("-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
VERSIONS = "TLSv1.3", "TLSv1.2"
SECTION, PACKET, SECRETS = 0x0a0d0d0a, 6, 10


def prepare():
    with open(PLUGIN, "wb") as file:
        subprocess.run([PARLEY, "wireshark-plugin"], stdout=file, stderr=subprocess.DEVNULL, check=True, timeout=60)
    for version in VERSIONS:
        captures = os.path.join(folder.name, version)
        os.mkdir(captures)
        conf = os.path.join(folder.name, version + ".cnf")
        with open(conf, "w", encoding="ascii") as file:
            file.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
                       f"MaxProtocol = {version}\n")
        done = subprocess.run([WIRE_CAPTURE, captures], capture_output=True, text=True, timeout=120,
                              env=dict(os.environ, OPENSSL_CONF=conf))
        assert done.returncode == 0, (done.stdout, done.stderr)


def capture(version, name):
    return os.path.join(folder.name, version, name + ".pcapng")


def without_keys(path):
    bare = path + ".bare"
    subprocess.run(["editcap", "--discard-all-secrets", path, bare], check=True, timeout=60, capture_output=True)
    return bare


def seen(path, more=LUA):
    return packets(path, *CHECKED, *more)


def shown(path, stream, more=LUA):
    """What tshark shows of the elements of one TCP connection."""
    return [re.sub(r"\s*(, Alert.*|\[TCP.*)?$", "", packet["_ws.col.Info"]) for packet in seen(path, more)
            if packet["tcp.stream"] == str(stream) and ":xmpp" in packet["frame.protocols"]]


def blocks(path):
    """Types and bodies, in the order of the file."""
    with open(path, "rb") as file:
        data = file.read()
    offset, found = 0, []
    while offset < len(data):
        kind, length = struct.unpack_from("<II", data, offset)
        assert length % 4 == 0 and struct.unpack_from("<I", data, offset + length - 4)[0] == length
        found.append((kind, data[offset + 8:offset + length - 4]))
        offset += length
    assert offset == len(data) and found[0][0] == SECTION
    return found


IN_CLEAR = ["STREAM > {b}", "STREAM < {b}", "STARTTLS", "PROCEED"]
ENCRYPTED = ["STREAM > {b}", "STREAM < {b}", "AUTH", "SUCCESS", "STREAM > {b}", "STREAM < {b}", "IQ(get) PING > {b}",
             "UNKNOWN PACKET", "STREAM END"]


def story(parts, domain):
    return [part.format(b=domain) for part in parts]


@test
def the_captures_can_be_made():
    prepare()


@test
def starttls_is_decrypted():
    for version in VERSIONS:
        for name in "starttls", "pieces":
            lines = shown(capture(version, name), 0)
            assert lines == story(IN_CLEAR + ENCRYPTED, "beta.example"), (version, name, lines)
        suites = [packet["tls.handshake.ciphersuite"] for packet in seen(capture(version, "starttls"))]
        # The version is the one that was wanted: TLS 1.3 has suites of its own.
        chosen = [suite for suite in suites if suite and "," not in suite]
        assert chosen and {suite.startswith("0x13") for suite in chosen} == {version == "TLSv1.3"}, suites
    assert shown(capture("TLSv1.3", "ipv6"), 0) == story(IN_CLEAR + ENCRYPTED, "beta.example")


@test
def other_ports_can_be_named():
    path = capture("TLSv1.3", "ports")
    assert not tshark(path, *LUA, "-Y", "xmpp")
    lines = shown(path, 0, ("-d", "tcp.port==6002,xmpp"))
    assert lines == story(IN_CLEAR + ENCRYPTED, "beta.example"), lines


@test
def direct_tls_is_decrypted():
    for version in VERSIONS:
        # As we dial, and as we are dialled, where SNI chose the certificate.
        for name in "direct", "direct-received":
            lines = shown(capture(version, name), 0)
            assert lines == story(ENCRYPTED, "gamma.example"), (version, name, lines)


@test
def the_other_direction_is_decrypted():
    for version in VERSIONS:
        lines = shown(capture(version, "starttls"), 1)
        assert lines[4:10] == story(ENCRYPTED[:6], "alpha.example"), lines
        assert lines[10] == "IQ(result) > alpha.example", lines


@test
def dialback_is_shown():
    for version in VERSIONS:
        path = capture(version, "dialback")
        text = "\n".join(tshark(path, *LUA, "-Y", "xmpp && tls", "-V"))
        assert "db:result" in text and "db:verify" in text, version
    text = "\n".join(tshark(capture("TLSv1.3", "clear"), *LUA, "-Y", "xmpp && !tls", "-V"))
    assert "db:result" in text and "db:verify" in text


@test
def without_the_keys_nothing_is_decrypted():
    for version in VERSIONS:
        for name, clear in (("starttls", IN_CLEAR), ("direct", [])):
            path = without_keys(capture(version, name))
            domain = "beta.example" if name == "starttls" else "gamma.example"
            assert shown(path, 0) == story(clear, domain), (version, name)
            assert SECRETS not in [kind for kind, body in blocks(path)]


@test
def the_plugin_is_needed():
    assert not tshark(capture("TLSv1.3", "direct"), "-Y", "xmpp")
    assert not tshark(capture("TLSv1.3", "starttls"), "-Y", "xmpp")


@test
def a_secret_comes_before_what_it_opens():
    """Whatever this tshark takes: another reader may be stricter."""
    kinds = blocks(capture("TLSv1.3", "direct"))
    first = min(number for number, (kind, body) in enumerate(kinds)
                if kind == SECRETS and b"SERVER_HANDSHAKE_TRAFFIC_SECRET" in body)
    hello = min(number for number, (kind, body) in enumerate(kinds)
                if kind == PACKET and b"\x16\x03\x03" in body and b"\x02\x00\x00" in body)
    assert first < hello, (first, hello)
    for name in "clear", "mode":
        assert SECRETS not in [kind for kind, body in blocks(capture("TLSv1.3", name))]


@test
def packets_are_sound():
    for name in "starttls", "ipv6", "pieces", "clear", "odd":
        found = seen(capture("TLSv1.3", name))
        assert found and {packet["tcp.checksum.status"] for packet in found} == {"1"}, (name, found)
        expected = {""} if name in ("ipv6", "odd") else {"1"}
        assert {packet["ip.checksum.status"] for packet in found} == expected, (name, found)
        ways = {packet["frame.packet_flags_direction"] for packet in found}
        assert ways == {"0x00000001", "0x00000002"}, (name, ways)
        times = [float(packet["frame.time_relative"]) for packet in found]
        assert times == sorted(times), (name, times)
    assert not tshark(capture("TLSv1.3", "pieces"), *LUA, "-Y", "tcp.analysis.flags")


@test
def connections_begin_and_end():
    for name in "starttls", "clear":
        flags = [packet["tcp.flags"] for packet in seen(capture("TLSv1.3", name)) if packet["tcp.stream"] == "0"]
        assert flags[:3] == ["0x0002", "0x0012", "0x0010"], flags
        assert flags[-1] == "0x0011" and "0x0004" not in flags, flags
    odd = seen(capture("TLSv1.3", "odd"))
    flags = [packet["tcp.flags"] for packet in odd]
    assert flags == ["0x0002", "0x0012", "0x0010", "0x0011", "0x0014"], flags
    assert {packet["tcp.len"] for packet in odd} == {"0"}, odd


main()
