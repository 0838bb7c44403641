#!/usr/bin/env python3
"""parley check dns, beside the name server of tests/dns (with-name-server).

usage: test_check_dns.py PARLEY MAKE-CERTS; prints TAP.
"""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cases  # noqa: E402

PARLEY, MAKE_CERTS = sys.argv[1:3]
RESOLV_CONF = os.environ["PARLEY_TEST_RESOLV_CONF"]
ANCHOR = os.environ["PARLEY_TEST_ANCHOR"]
DNS = f"dns {{ resolv-conf = {RESOLV_CONF} trust-anchor-file = {ANCHOR} %s }}\n"
ANY = 'partner "*" { tls = required sasl = optional dialback = yes }\n'
tests = []
folder = tempfile.TemporaryDirectory(prefix="parley-dns-")


def test(function):
    tests.append(function)
    return function


def run(text, *arguments):
    file = os.path.join(folder.name, "parley.conf")
    with open(file, "w", encoding="utf-8") as out:
        out.write(text)
    done = subprocess.run([PARLEY, "check", "dns", "-c", file, *arguments], capture_output=True, text=True,
                          timeout=60)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


def check(*domains, text=None, status=0):
    text = DNS % "" + ANY if text is None else text
    done = run(text, "--json", *domains)
    assert done.returncode == status, done
    return [*json.loads(done.stdout)["domains"], run(text, *domains)]


def question(result, name, kind):
    found = [q for q in result["questions"] if (q["name"], q["type"]) == (name, kind)]
    assert len(found) == 1, (name, kind, result)
    return found[0]


@test
def secure():
    result, text = check("dane.example")
    assert result["code"] is None and result["secure"], result
    srv = question(result, "_xmpp-server._tcp.dane.example", "SRV")
    assert srv["records"] == ["10 0 5269 host.dane.example"] and srv["dnssec"] == "secure"
    assert question(result, "_xmpps-server._tcp.dane.example", "SRV")["state"] in ("no-record", "no-such-name")
    assert question(result, "host.dane.example", "A")["records"] == ["192.0.2.40"]
    tlsa = question(result, "_5269._tcp.host.dane.example", "TLSA")
    assert sorted(tlsa["records"]) == ["2 0 2 00", "3 1 1 " + "00112233445566778899aabbccddeeff" * 2]
    target, = result["targets"]
    assert target["addresses"] == ["192.0.2.40:5269"] and target["tlsa"] == 2 and target["secure"]
    for piece in ("10 0 5269 host.dane.example", "1. 192.0.2.40:5269", "STARTTLS", "DANE with 2 TLSA records"):
        assert piece in text.stdout, text
    assert "first step" not in text.stdout


@test
def the_order_is_that_of_trying():
    result, text = check("dt.example")
    assert [(t["direct_tls"], t["port"], t["priority"]) for t in result["targets"]] == [
        (True, 5270, 10), (False, 5269, 20)], result
    assert text.stdout.index("192.0.2.11:5270") < text.stdout.index("192.0.2.11:5269")
    # each question once, though two targets have one host
    assert len(result["questions"]) == len({(q["name"], q["type"]) for q in result["questions"]})
    # a row without TLS can use no direct TLS
    result, _ = check("dt.example", text=DNS % "" +
                      'partner "*" { tls = not-supported sasl = not-supported dialback = yes }\n')
    assert [t["port"] for t in result["targets"]] == [5269]


@test
def insecure():
    result, text = check("unsigned.example")
    assert result["code"] is None and not result["secure"]
    assert question(result, "_xmpp-server._tcp.unsigned.example", "SRV")["dnssec"] == "insecure"
    # TLSA of what is insecure is not asked for
    assert all(q["type"] != "TLSA" for q in result["questions"])
    assert "not all of it DNSSEC-secure" in text.stdout


@test
def failures():
    for domain, code, name, state, dnssec in (
            ("svcnone.example", "dns-no-service", "_xmpp-server._tcp.svcnone.example", "dot", "secure"),
            ("bogus.example", "dns-bogus", "_xmpp-server._tcp.bogus.example", "bogus", "bogus"),
            ("broken.example", "dns-server-failure", "_xmpp-server._tcp.broken.example", "failed", "unknown"),
            ("nosuch.example", "dns-no-such-domain", "_xmpp-server._tcp.nosuch.example", "no-such-name", "secure"),
            ("noaddress.example", "dns-no-address", "gone.noaddress.example", "no-such-name", "secure")):
        result, text = check(domain, status=3)
        kind = "A" if name.startswith("gone") else "SRV"
        asked = question(result, name, kind)
        assert (result["code"], asked["state"], asked["dnssec"]) == (code, state, dnssec), result
        assert result["side"] == "peer" and result["first_step"] and result["targets"] == []
        assert text.returncode == 3 and code in text.stdout, text
        assert "who acts    peer" in text.stdout and "first step  " + result["first_step"] in text.stdout
    result, text = check("deadfirst.example")
    assert [t["host"] for t in result["targets"]] == ["host.lab.example"]
    assert "no such name" in text.stdout


@test
def refused_addresses():
    result, text = check("mixed.example")
    assert question(result, "host.mixed.example", "A")["refused"] == ["127.0.0.1"], result
    assert question(result, "host.mixed.example", "A")["records"] == ["10.1.2.3"]
    assert "127.0.0.1  (refused" in text.stdout, text
    result, _ = check("mixed.example", text=DNS % "allow-loopback = yes" + ANY)
    assert question(result, "host.mixed.example", "A")["refused"] == []


@test
def several_domains():
    first, second, text = check("lab.example", "svcnone.example", status=3)
    assert (first["domain"], first["code"]) == ("lab.example", None) and second["code"] == "dns-no-service"
    assert text.stdout.index("lab.example") < text.stdout.index("svcnone.example: dns-no-service")
    result, _ = check("B\u00dcCHER.example")
    assert result["domain"] == "b\u00fccher.example" and result["targets"][0]["host"] == "host.lab.example"


@test
def own_domains():
    subprocess.run(["sh", MAKE_CERTS, folder.name, "dt.example", "valid"], check=True, capture_output=True)
    pair = "{ certificate = dt.example.valid.crt private-key = dt.example.valid.key }\n"

    def own(listens):
        return DNS % "" + ANY + 'host "dt.example" ' + pair + listens

    result, text = check("dt.example", text=own('listen "192.0.2.11:5269" {}\nlisten "192.0.2.11:5270" { tls = direct }\n'))
    assert result["own"]["matches"] and "DNS leads there" in text.stdout, (result, text)
    # the machine does not have that address
    assert len(result["warnings"]) == 2 and "NAT" in result["warnings"][0], result
    result, text = check("dt.example", text=own('listen "0.0.0.0:5269" {}\n'))
    assert result["own"]["matches"] and any("192.0.2.11:5270" in w and "listens" in w for w in result["warnings"])
    result, text = check("dt.example", text=own('listen "192.0.2.12:5269" {}\nlisten "[::]:5269" {}\n'))
    assert not result["own"]["matches"] and "does not lead there" in text.stdout, result
    assert run(own('listen "192.0.2.12:5269" {}\n'), "--fail-on", "warn", "dt.example").returncode == 20
    result, _ = check("dt.example", text=own('listen "0.0.0.0:5270" {}\n'))
    assert not result["own"]["matches"] and any("SRV record or the section" in w for w in result["warnings"])
    # a zone of ours is ours to correct
    result, _ = check("svcnone.example", status=3, text=DNS % "" + ANY + 'host "svcnone.example" ' + pair)
    assert result["side"] == "us" and "your own zone" in result["first_step"]


@test
def partners():
    text = DNS % "" + 'partner "lab.example" { tls = required sasl = optional dialback = yes connect = "host.dt.example:5333" }\n'
    result, shown = check("lab.example", text=text)
    assert result["connect"] == "host.dt.example:5333" and "no SRV record is asked for" in shown.stdout
    assert result["targets"][0]["addresses"] == ["192.0.2.11:5333"]
    assert all(q["type"] != "SRV" for q in result["questions"])
    result, _ = check("dt.example", text=text)
    assert "no partner section" in result["warnings"][0]


@test
def resolvers():
    silent = os.path.join(folder.name, "resolv.conf")
    with open(silent, "w", encoding="ascii") as file:
        file.write("nameserver 127.0.0.1@9\n")
    text = "dns { resolv-conf = %s trust-anchor-file = /dev/null }\ntimeouts { dns = 3 }\n" % silent + ANY
    done = run(text, "--json", "lab.example")
    result, = json.loads(done.stdout)["domains"]
    assert done.returncode == 3 and result["code"] == "dns-resolver-unreachable" and result["side"] == "us", done
    broken = os.path.join(folder.name, "anchor")
    with open(broken, "w", encoding="ascii") as file:
        file.write("this is no key\n")
    done = run(f"dns {{ resolv-conf = {RESOLV_CONF} trust-anchor-file = {broken} }}\n" + ANY, "lab.example")
    assert done.returncode == 10 and done.stdout == "" and "trust anchor" in done.stderr, done
    # without validation nothing is secure
    result, _ = check("dane.example", text=f"dns {{ resolv-conf = {RESOLV_CONF} trust-anchor-file = /dev/null }}\n" + ANY)
    assert not result["secure"]


@test
def usage():
    for arguments in ([], ["not a domain"], ["a.example", "..", "--json"], ["--fail-on", "x", "a.example"]):
        done = run(DNS % "" + ANY, *arguments)
        assert done.returncode == 2 and done.stdout == "" and done.stderr, (arguments, done)
    done = run("hue = red\n", "lab.example")
    assert done.returncode == 2 and done.stdout == "" and "hue" in done.stderr, done


def main():
    status = cases.run(tests)
    folder.cleanup()
    return status


if __name__ == "__main__":
    sys.exit(main())
