#!/usr/bin/env python3
"""The command parley: results, exit statuses, and where text goes.

usage: test_cli.py PARLEY MATRIX.csv CODES.csv; prints TAP.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile
import traceback

PARLEY, MATRIX, CODES = sys.argv[1:4]
tests = []


def test(function):
    tests.append(function)
    return function


def run(*arguments, stdin=None):
    return subprocess.run([PARLEY, *arguments], capture_output=True, text=True, timeout=60)


def ok(*arguments, status=0):
    """Runs; a result on stdout, nothing on stderr."""
    done = run(*arguments)
    assert done.returncode == status, (arguments, done)
    assert done.stderr == "", (arguments, done.stderr)
    assert done.stdout != "", arguments
    return done.stdout


def wrong(*arguments):
    """Runs; status 2, a complaint on stderr and nothing on stdout."""
    done = run(*arguments)
    assert done.returncode == 2, (arguments, done)
    assert done.stdout == "", (arguments, done.stdout)
    assert done.stderr != "", arguments
    return done.stderr


def matrix():
    with open(MATRIX, newline="") as file:
        return list(csv.DictReader(file))


def split_messages(text):
    """'warning: a; warning: b' as {severity: [texts]}."""
    found = {"warning": [], "error": [], "info": []}
    severity = None
    for part in text.split("; "):
        head, colon, rest = part.partition(": ")
        if colon and head in found:
            severity = head
            found[severity].append(rest)
        elif severity:
            found[severity][-1] += "; " + part
    return found


@test
def policy_json_is_the_matrix():
    rows = json.loads(ok("policy", "--json"))
    assert len(rows) == 18
    for row, line in zip(rows, matrix()):
        said = split_messages(line["our_message"])
        methods = line["methods_best_first"]
        assert row == {
            "row": int(line["row"]), "tls": line["tls"], "sasl": line["sasl"],
            "dialback": line["dialback"] == "yes", "valid": line["valid"] == "yes",
            "methods": methods.split(" > ") if methods else [],
            "warnings": said["warning"], "errors": said["error"]}, (row, line)
        assert list(row) == ["row", "tls", "sasl", "dialback", "valid", "methods", "warnings", "errors"]


@test
def policy_of_one_row():
    for line in matrix():
        status = 0 if line["valid"] == "yes" else 1
        number = line["row"]
        words = line["tls"], line["sasl"], line["dialback"]
        by_words = json.loads(ok("policy", *words, "--json", status=status))
        assert by_words == json.loads(ok("policy", "--json", "--row", number, status=status))
        assert by_words["row"] == int(number)
        other = {"yes": "true", "no": "false"}[words[2]]
        text = ok("policy", *words[:2], other, status=status)
        assert f"row {number}:" in text
        if status:
            assert "error" in text and "no way to authenticate" in text


@test
def policy_as_a_table():
    text = ok("policy").splitlines()
    assert text[0].split()[:5] == ["row", "tls", "sasl", "dialback", "valid"]
    column = text[0].index("valid")
    for line, row in zip(text[1:19], matrix()):
        assert line.split()[:4] == [row["row"], row["tls"], row["sasl"], row["dialback"]]
        assert line[column:].split()[0] == row["valid"], line
    assert "SASL over TLS, TLS Dialback, TCP Dialback" in text[3]
    assert max(map(len, text[:19])) <= 100
    common = json.loads(ok("policy", "--common", "--json"))
    assert [row["row"] for row in common] == [2, 7, 9, 17]
    assert len([x for x in ok("policy", "--common").splitlines() if "required" in x or "opt" in x]) >= 3


@test
def policy_against():
    allowed = {line["row"]: line["methods_best_first"].split(" > ") for line in matrix() if line["valid"] == "yes"}
    rows = {line["row"]: line for line in matrix()}
    for theirs in allowed:
        line = rows[theirs]
        against = f"{line['tls']},{line['sasl']},{line['dialback']}"
        for row in json.loads(ok("policy", "--json", "--against", against)):
            ours = str(row["row"])
            common = [m for m in allowed.get(ours, []) if m in allowed[theirs]]
            for way in ("out", "in"):
                got = row[way]
                assert sorted(got) == ["code", "method"]
                if common:
                    assert got == {"method": common[0], "code": None}, (ours, theirs, row)
                else:
                    assert got["method"] == "none" and isinstance(got["code"], str), (ours, theirs, row)
    text = ok("policy", "required", "optional", "yes", "--against", "not-supported,optional,yes")
    assert "tls-not-offered" in text
    one = json.loads(ok("policy", "--json", "--row", "7", "--against", "required,optional,no"))
    assert one["out"] == one["in"] == {"method": "sasl-over-tls", "code": None}
    assert ok("policy", "--against", "required,optional,true").count("\n") >= 19
    # an invalid row is described, and its negotiations fail
    row = json.loads(ok("policy", "--row", "6", "--json", "--against", "optional,optional,yes", status=1))
    assert row["out"]["method"] == row["in"]["method"] == "none"
    assert row["out"]["code"] and row["in"]["code"]


@test
def policy_refuses_wrong_arguments():
    for arguments in (["required"], ["required", "optional"], ["required", "optional", "maybe"],
                      ["required", "optional", "yes", "no"], ["--row", "0"], ["--row", "19"], ["--row", "7x"],
                      ["--row", ""], ["--row"], ["--against"], ["--against", "required,optional"],
                      ["--against", "required,optional,yes,no"], ["--against", "a,b,c"], ["--colour"],
                      ["--row", "7", "required", "optional", "yes"], ["--common", "required", "optional", "yes"],
                      ["--common", "--row", "2"], ["Required", "optional", "yes"]):
        wrong("policy", *arguments)


@test
def explain_lists_every_code():
    listed = json.loads(ok("explain", "--list", "--json"))
    codes = {entry["code"]: entry for entry in listed}
    assert len(codes) == len(listed)
    with open(CODES, newline="") as file:
        for line in csv.DictReader(file):
            assert codes[line["code"]] == {key: line[key] for key in ("code", "stage", "side", "meaning", "first_step")}
    text = ok("explain", "--list").splitlines()
    assert [line.split()[0] for line in text] == [entry["code"] for entry in listed]
    for code, entry in codes.items():
        assert entry["side"] in ("us", "peer", "network", "either")
    for code in list(codes)[::9]:
        assert json.loads(ok("explain", "--json", code)) == codes[code]
        text = ok("explain", code)
        assert codes[code]["meaning"] in text and codes[code]["first_step"] in text


@test
def explain_refuses_wrong_arguments():
    assert "tls-not-offered" in wrong("explain", "tls-not-offred")
    for arguments in ([], ["none"], ["tls-not-offered", "dns-bogus"], ["--list", "dns-bogus"], ["--bogus"], [""]):
        wrong("explain", *arguments)


def with_file(text):
    folder = tempfile.mkdtemp(prefix="parley-cli-")
    path = os.path.join(folder, "parley.conf")
    with open(path, "w") as file:
        file.write(text)
    return path


PARTNERS = """\
partner "beta.example" { tls = required sasl = optional dialback = yes }
# a comment
partner "gamma.example" {
    tls = optional sasl = required dialback = yes
    plaintext-retry = yes
}
partner "*" { tls = required sasl = required dialback = no
  connect-tls = direct }
"""


@test
def check_of_a_sound_file():
    path = with_file(PARTNERS)
    done = run("check", "-c", path, "--json")
    assert done.returncode == 0, done
    result = json.loads(done.stdout)
    assert list(result) == ["partners", "errors"] and result["errors"] == []
    beta, gamma, rest = result["partners"]
    assert beta == {"partner": "beta.example", "row": 7, "methods": ["sasl-over-tls", "tls-dialback"], "warnings": []}
    assert gamma["row"] == 3 and len(gamma["methods"]) == 3 and len(gamma["warnings"]) == 2
    assert "not enforced" in gamma["warnings"][0] and "partner" not in gamma["warnings"][0][:10]
    assert rest["partner"] == "*" and rest["row"] == 2 and len(rest["warnings"]) == 1
    text = run("check", "-c", path)
    assert text.returncode == 0
    assert "beta.example" in text.stdout and "TLS Dialback" in text.stdout and "info: " in text.stdout
    # about no partner: not part of the result
    assert "no host section" in text.stderr and "no host section" not in text.stdout
    assert run("check", "--config", path).returncode == 0
    for words in (["config", "-c", path], ["-c", path, "config"]):
        assert (run("check", *words).stdout, run("check", *words).stderr) == (text.stdout, text.stderr)
    assert run("check", "-c", path, "--fail-on", "warn").returncode == 20


@test
def check_of_a_faulty_file():
    path = with_file(PARTNERS + 'partner "delta.example" { tls = not-supported sasl = optional dialback = no }\n'
                     "hue = red\nlimits { stanza-bytes = 1 }\n")
    done = run("check", "--json", "-c", path)
    assert done.returncode == 2
    result = json.loads(done.stdout)
    assert len(result["errors"]) == 3
    assert result["errors"][0].startswith(f'{path}:9: partner "delta.example": row 12 ')
    assert result["errors"][1].startswith(f"{path}:10: ") and "hue" in result["errors"][1]
    assert result["errors"][2].startswith(f"{path}:11: ")
    assert [p["row"] for p in result["partners"]] == [7, 3, 2, 12]
    assert result["partners"][3]["methods"] == []
    faults = [line for line in done.stderr.splitlines() if ": warning: " not in line]
    assert faults == result["errors"]
    assert run("check", "-c", path).returncode == 2


@test
def check_of_no_file():
    for path in ("/nonexistent/parley.conf", "/"):
        done = run("check", "--json", "-c", path)
        assert done.returncode == 2
        result = json.loads(done.stdout)
        assert result["partners"] == [] and len(result["errors"]) == 1 and result["errors"][0].startswith(path)
    for arguments in (["-c"], ["x"], ["--bogus"], ["-c", "/dev/null", "x"], ["config", "x"], ["--fail-on", "x"],
                      ["dns"], ["certs", "-c", "/dev/null", "x.example"]):
        wrong("check", *arguments)
    assert 'did you mean "certs"?' in wrong("check", "cert")


@test
def text_of_the_file_cannot_reach_the_terminal_raw():
    path = with_file('partner "a\x1b[31mb" { tls = "\x1b]0;x\x07" }\nlog { level = "\xc2\x9b1m" }\n')
    for arguments in ([], ["--json"]):
        done = run("check", "-c", path, *arguments)
        assert done.returncode == 2
        for text in (done.stdout, done.stderr):
            assert not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), text


@test
def help_and_version():
    text = ok("--help")
    for verb in ("policy", "check", "explain", "wireshark-plugin"):
        assert verb in text
        shown = ok(verb, "--help")
        assert shown.startswith("usage: parley " + verb)
        assert ok("help", verb) == shown
        assert max(map(len, shown.splitlines())) <= 80
    assert ok("help") == text
    assert ok("--version").startswith("parley ")
    assert '"policy"' in wrong("polcy")
    assert "--help" in wrong("zzzzzzzz")
    assert "usage" in wrong()
    wrong("help", "zzzz")


@test
def wireshark_plugin_is_a_file_and_says_where_it_goes():
    done = run("wireshark-plugin")
    assert done.returncode == 0, done
    for port in ("5269", "5270", "xmpp-server"):
        assert port in done.stdout, done.stdout
    assert ".local/lib/wireshark/plugins" in done.stderr, done.stderr
    assert "\"x\"" in wrong("wireshark-plugin", "x")


@test
def a_result_that_cannot_be_written_is_no_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PARLEY, "policy", "--json"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 10 and done.stderr


print(f"1..{len(tests)}")
failures = 0
for number, function in enumerate(tests, 1):
    name = function.__name__.replace("_", " ")
    try:
        function()
        print(f"ok {number} - {name}", flush=True)
    except Exception:
        failures += 1
        for line in traceback.format_exc().splitlines():
            print("# " + line)
        print(f"not ok {number} - {name}", flush=True)
sys.exit(1 if failures else 0)
