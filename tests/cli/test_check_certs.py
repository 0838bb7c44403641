#!/usr/bin/env python3
"""parley check certs: certificates of each kind, and what is said of them.

usage: test_check_certs.py PARLEY MAKE-CERTS; prints TAP.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cases  # noqa: E402

PARLEY, MAKE_CERTS = sys.argv[1:3]
VARIANTS = ["valid", "valid-rsa", "all-sans", "srv-only", "cn-only", "wildcard", "wrong-name", "nul-name",
            "expired", "not-yet-valid", "self-signed", "unknown-ca", "server-eku-only", "client-eku-only",
            "no-eku", "intermediate", "chain-missing", "weak-rsa1024"]
tests = []
folder = tempfile.TemporaryDirectory(prefix="parley-certs-")


def test(function):
    tests.append(function)
    return function


def path(name):
    return os.path.join(folder.name, name)


def host(variant, name="a.example", kind="host", key=None, more=""):
    return '%s "%s" { certificate = a.example.%s.crt private-key = a.example.%s.key %s }\n' % (
        kind, name, variant, key or variant, more)


def check(text, *arguments, trust="trust { ca-file = ca.crt }\n", program=None):
    """The status, the object, and stderr of both forms, which must agree."""
    file = path("parley.conf")
    with open(file, "w", encoding="utf-8") as out:
        out.write(trust + text)
    done = [subprocess.run([*(program or []), PARLEY, "check", "certs", "-c", file, *form, *arguments],
                           capture_output=True, text=True, timeout=60) for form in (["--json"], [])]
    assert done[0].returncode == done[1].returncode, done
    assert "Sanitizer" not in done[0].stderr + done[1].stderr, done
    result = json.loads(done[0].stdout) if done[0].stdout else None
    for one in result["hosts"] if result else []:
        for finding in one["findings"]:
            for key in ("severity", "text", "first_step"):
                assert finding[key] and finding[key] in done[1].stdout, (finding, done[1].stdout)
    return done[0].returncode, result, done[0].stderr


def one(variant, **more):
    status, result, _ = check(host(variant, **more))
    assert len(result["hosts"]) == 1, result
    found = result["hosts"][0]
    return status, found, [(f["severity"], f["text"]) for f in found["findings"]]


def has(findings, severity, *words):
    return any(s == severity and all(word in text for word in words) for s, text in findings)


@test
def sound_ones():
    for variant in ("valid", "valid-rsa", "all-sans", "no-eku", "intermediate", "wildcard"):
        status, found, findings = one(variant)
        assert status == 0 and findings == [] and found["trusted"] and found["verdict"] == "valid", (variant, found)
        assert found["covers"] == ["a.example"] and found["does_not_cover"] == []
        assert 360 <= found["days_left"] <= 366 and len(found["sha256"]) == 64
    _, found, _ = one("all-sans")
    assert found["names"] == {"xmppAddr": ["a.example"], "SRVName": ["_xmpp-server.a.example"],
                              "DNS": ["a.example"]}, found
    assert (found["key"], found["bits"], found["signature"]) == ("EC P-256", 256, "SHA256")
    assert found["purposes"] == "serverAuth, clientAuth" and found["usage"] == "digitalSignature"
    _, found, _ = one("valid-rsa")
    assert (found["key"], found["bits"]) == ("RSA", 2048)
    assert one("no-eku")[1]["purposes"] == "" and one("intermediate")[1]["certificates"] == 2


@test
def names():
    for variant in ("cn-only", "wrong-name", "nul-name"):
        status, found, findings = one(variant)
        assert status == 1 and has(findings, "error", "a.example") and found["trusted"], (variant, found)
        assert found["does_not_cover"] == ["a.example"]
    assert "a.example\\x00.evil.example" in one("nul-name")[1]["names"]["DNS"]
    status, _, findings = one("srv-only")
    assert status == 0 and has(findings, "warning", "no DNS name"), findings


@test
def chains_and_dates():
    for variant, words in (("self-signed", ["self-signed"]), ("unknown-ca", ["chain of 2", "rogue"]),
                           ("chain-missing", ["alone", "intermediate"])):
        status, found, findings = one(variant)
        assert status == 1 and not found["trusted"] and has(findings, "error", *words), (variant, findings)
    status, found, findings = one("expired")
    assert status == 1 and found["days_left"] < 0 and has(findings, "error", "expired on 2021-01-01"), findings
    status, _, findings = one("not-yet-valid")
    assert status == 1 and has(findings, "error", "not valid before 2048"), findings
    # dates are told beside a chain that is bad as well
    status, result, _ = check(host("expired"), trust="trust { ca-file = rogue-ca.crt }\n")
    findings = result["hosts"][0]["findings"]
    assert status == 1 and len(findings) == 2, findings


@test
def purposes():
    status, _, findings = one("server-eku-only")
    assert status == 0 and has(findings, "warning", "clientAuth", "EXTERNAL") and len(findings) == 1, findings
    assert check(host("server-eku-only"), "--fail-on", "warn")[0] == 20
    assert check(host("server-eku-only"), "--fail-on", "none")[0] == 0
    assert check(host("valid"), "--fail-on", "warn")[0] == 0
    status, _, findings = one("client-eku-only")
    assert status == 1 and has(findings, "error", "serverAuth") and len(findings) == 1, findings


@test
def files_that_do_not_load():
    status, found, findings = one("valid", key="valid-rsa")
    assert status == 1 and has(findings, "error", "does not fit") and "key" not in found, findings
    status, _, findings = one("weak-rsa1024")
    assert status == 1 and has(findings, "error", "too small"), findings
    status, _, findings = one("nowhere")
    assert status == 1 and has(findings, "error", "No such file"), findings


@test
def soon():
    """21 days before the end, as parleyd warns."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
         "/CN=x", "-addext", "subjectAltName=DNS:a.example", "-days", "3", "-keyout", path("a.example.soon.key"),
         "-out", path("a.example.soon.crt")], capture_output=True, check=True, text=True)
    time.sleep(1.1)  # both forms then see the same number of whole days
    status, result, _ = check(host("soon"), trust="trust { ca-file = a.example.soon.crt }\n")
    findings = [(f["severity"], f["text"]) for f in result["hosts"][0]["findings"]]
    assert status == 0 and has(findings, "warning", "expires in ") and len(findings) == 1, (findings, made.stderr)


@test
def several_hosts_and_components():
    text = (host("valid") + host("wildcard", "b.example") + 'host "none.org" {}\n' +
            'component "lent.example" { secret = s }\ncomponent "bare.a.example" { secret = s }\n' +
            host("valid", "own.a.example", "component", more="secret = s"))
    status, result, _ = check(text)
    hosts = {found["host"]: found for found in result["hosts"]}
    assert status == 1 and len(hosts) == 6, result
    assert hosts["a.example"]["does_not_cover"] == ["bare.a.example", "own.a.example"]
    assert hosts["lent.example"]["uses_that_of"] == "b.example" and hosts["lent.example"]["component"]
    assert hosts["lent.example"]["findings"] == []
    assert [f["severity"] for f in hosts["bare.a.example"]["findings"]] == ["warning"]
    assert [f["severity"] for f in hosts["own.a.example"]["findings"]] == ["error"]
    assert [f["severity"] for f in hosts["none.org"]["findings"]] == ["warning"]
    status, result, _ = check(text, "B.example", "a.example")
    assert status == 0 and [found["host"] for found in result["hosts"]] == ["a.example", "b.example"]
    status, result, said = check(text, "c.example")
    assert status == 2 and result is None and "c.example" in said
    status, result, said = check(text, "none.org")
    assert status == 10 and "certificate" in said


@test
def faults_of_the_file():
    status, result, said = check(host("valid") + "hue = red\n")
    assert status == 2 and "hue" in said and result["hosts"][0]["findings"] == []
    status, result, said = check(host("valid"), trust="trust { ca-file = nowhere.crt }\n")
    assert status == 2 and "nowhere" in said and result is None
    done = subprocess.run([PARLEY, "check", "certs", "-c", path("nothing.conf")], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 2 and done.stdout == "" and "nothing.conf" in done.stderr, done


@test
def files_of_others():
    """Not to be read: that is no fault of theirs."""
    if os.geteuid() != 0:
        return
    os.chmod(folder.name, 0o755)
    os.chmod(path("a.example.valid.key"), 0o600)
    os.chown(path("a.example.valid.key"), 0, 0)
    status, result, _ = check(host("valid"), program=["setpriv", "--reuid=65534", "--regid=65534",
                                                      "--clear-groups"])
    findings = [(f["severity"], f["text"]) for f in result["hosts"][0]["findings"]]
    assert status == 10 and has(findings, "unchecked", "Permission denied"), (status, findings)


def main():
    made = subprocess.run(["sh", MAKE_CERTS, folder.name, *(word for v in VARIANTS for word in ("a.example", v))],
                          capture_output=True, text=True)
    if made.returncode != 0:
        print("Bail out! certificates:", made.stderr)
        return 1
    status = cases.run(tests)
    folder.cleanup()
    return status


if __name__ == "__main__":
    sys.exit(main())
