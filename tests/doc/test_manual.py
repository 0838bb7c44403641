#!/usr/bin/env python3
"""The manual and the programs say the same: keys of the configuration with
their defaults, verbs, options, exit statuses, events of the log, metrics.

usage: test_manual.py SOURCE PARLEY PARLEYD; prints TAP.
"""
import functools
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import cases  # noqa: E402

SOURCE, PARLEY, PARLEYD = sys.argv[1:4]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
PARTS = "show view follow diff replay export redact stats last on off".split()
OF_OTHERS = {"--discard-all-secrets"}    # of programs that the pages mention
tests = []


def test(function):
    tests.append(function)
    return function


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def sources(*rooms):
    return "\n".join(read(path) for room in rooms or ("*",)
                     for path in sorted(glob.glob(os.path.join(SOURCE, "src", room, "*.c"))))


@functools.lru_cache(None)
def help_of(*words, program=PARLEY):
    done = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout and not done.stderr, (words, done)
    # what another verb takes is no option of this one
    return re.sub(r"parley [a-z]+( [A-Z]+)? --(help|list)", "", done.stdout)


def verbs():
    found = re.findall(r"^  ([a-z0-9-]+)  ", help_of(), re.M)
    assert len(found) > 15, found
    return found


def page_of(verb):
    """The page that tells of a verb: its own, or parley(1)."""
    own = os.path.join(SOURCE, "doc", "parley-%s.1.scd" % verb)
    return read(own) if os.path.exists(own) else read("doc", "parley.1.scd")


def helps_of(verb):
    return [help_of(verb)] + [help_of(verb, part) for part in PARTS if verb == "trace"]


def same(what, said, true):
    """Sets that should be equal."""
    assert true, "no %s found" % what
    assert said == true, "%s: not described %s; described only %s" % (
        what, sorted(true - said), sorted(said - true))


# The configuration.

def grammar():
    """{section: keys} as the parser knows them; "" is the top level."""
    table = re.search(r"grammar\[\] = \{(.*?)\n\};", read("src", "conf", "parse.c"), re.S).group(1)
    found = {}
    for name, keys in re.findall(r'\{ "([a-z]*)", (?:true|false), \{(.*?)\} \}', table, re.S):
        found[name] = {key.rstrip("*") for key in re.findall(r'"([a-z*-]+)"', keys)}
    assert len(found) > 15 and "host" in found["gateway"] | {"host"}, found
    return found


def blocks():
    """{section: what parley.conf(5) says of it}."""
    page, found = read("doc", "parley.conf.5.scd"), {}
    begin = re.compile(r'^\*([a-z]+)\* .*?\{', re.M)
    for chapter in re.split(r"^# .*$", page, flags=re.M):
        marks = list(begin.finditer(chapter))
        for mark, after in zip(marks, marks[1:] + [None]):
            found[mark.group(1)] = found.get(mark.group(1), "") + \
                chapter[mark.start():after.start() if after else None]
    return found


@test
def every_section_and_key_is_described_where_it_belongs():
    wanted, said = grammar(), blocks()
    same("section", set(said), set(wanted) - {""})
    for section, text in said.items():
        missing = [key for key in wanted[section] if "*%s*" % key not in text]
        assert not missing, (section, missing)
        defined = set()
        for line in re.findall(r"^(\*[a-z-]+\*(?:, \*[a-z-]+\*)*)(?: = \d+)?$", text, re.M):
            defined |= set(re.findall(r"\*([a-z-]+)\*", line))
        defined |= set(re.findall(r"\*([a-z-]+)\* = ", text)) - {section}
        unknown = defined - wanted[section] - wanted[""]
        # a key of another section may be told of as KEY = VALUE
        unknown -= set(wanted["partner"])
        assert not unknown, (section, unknown)


@test
def numbers_have_the_defaults_that_the_page_tells():
    text, said, checked = read("src", "conf", "settings.c"), blocks(), 0
    rows = [("timeouts",) + row for row in
            re.findall(r'SECONDS\("([a-z-]+)", \w+, (\d+)\)', text)]
    rows += re.findall(r'\{ "(timeouts)", "([a-z-]+)", offsetof\([^)]*\), (\d+)', text)
    rows += [("limits",) + row for row in
             re.findall(r'LIMIT\("([a-z-]+)", \w+, (\d+),', text)]
    rows += [("trace",) + row for row in re.findall(r'TRACE\("([a-z-]+)", \w+, (\d+),', text)]
    for section, key, value in rows:
        assert re.search(r"\*%s\* = %s\b" % (key, value), said[section]), (section, key, value)
        checked += 1
    assert checked == sum(len(grammar()[name]) for name in ("timeouts", "limits")) + 4, checked


# Verbs and options.

@test
def every_verb_is_in_the_manual_and_no_other():
    page, known = read("doc", "parley.1.scd"), set(verbs())
    missing = [verb for verb in known if not re.search(r"\*(parley )?%s\*" % verb, page)]
    assert not missing, missing
    synopsis = page.partition("# SYNOPSIS")[2].partition("\n# ")[0]
    named = set()
    for line in re.findall(r"^(\*parley .*)$", synopsis, re.M):
        head = line.partition("[")[0].replace("parley ", "").split("_")[0]
        named |= {words.split()[0] for words in re.findall(r"\*([a-z0-9-][a-z0-9 -]*)\*", head)}
    same("verb in the synopsis", named, known)


@test
def every_option_of_help_is_in_the_manual_and_back():
    all_of_main = set()
    for verb in verbs():
        page = page_of(verb)
        options = set(OPTION.findall("\n".join(helps_of(verb)))) - {"--help", "--version"}
        missing = {option for option in options if option not in page}
        assert not missing, ("not in the manual", verb, missing)
        if page == read("doc", "parley.1.scd"):
            all_of_main |= options
            continue
        extra = set(OPTION.findall(page)) - options - OF_OTHERS - {"--help", "--version"}
        for other in verbs():   # a page may name what another verb takes
            if re.search(r"parley[ -]%s\b" % other, page) and other != verb:
                extra -= set(OPTION.findall("\n".join(helps_of(other))))
        assert not extra, ("only in the manual", verb, extra)
    extra = set(OPTION.findall(read("doc", "parley.1.scd"))) - all_of_main - {"--help", "--version"}
    assert not extra, ("only in parley(1)", extra)
    same("option of parleyd", set(OPTION.findall(read("doc", "parleyd.8.scd"))),
         set(OPTION.findall(help_of(program=PARLEYD))))


@test
def every_option_that_is_taken_is_in_a_help():
    taken = set(re.findall(r'\{ "([a-z-]+)", (?:no|required|optional)_argument', sources("cli")))
    told = set(OPTION.findall("\n".join(text for verb in verbs() for text in helps_of(verb))))
    missing = {"--" + name for name in taken} - told - {"--help", "--version"}
    assert not missing, missing


@test
def every_option_of_help_is_taken():
    for verb in verbs():
        commands = [(verb, part) for part in PARTS] if verb == "trace" else [(verb,)]
        if verb == "check":
            commands += [("check", "dns"), ("check", "certs")]
        for words in commands:
            for option in sorted(set(OPTION.findall(help_of(*words))) - {"--help", "--version"}):
                done = subprocess.run([PARLEY, *words, option + "=no/such/thing", "--help"],
                                      capture_output=True, text=True, timeout=30,
                                      stdin=subprocess.DEVNULL)
                assert "unrecognized option" not in done.stderr, (words, option, done.stderr)


def statuses(page):
    """The exit statuses that a page tells of."""
    text = page.partition("# EXIT STATUS")[2].partition("\n# ")[0]
    found = set(re.findall(r"\b\d+\b", text))
    for first, last in re.findall(r"(\d+)\*? to \*?(\d+)", text):
        found |= {str(number) for number in range(int(first), int(last) + 1)}
    return found


@test
def exit_statuses_of_help_are_in_the_manual():
    for verb in verbs():
        for text in helps_of(verb):
            tail = text.partition("Exit status")[2]
            for number in set(re.findall(r"(?:^|[;:,.(] |status |\bor )(\d+)(?= [a-z])", tail)):
                assert number in statuses(page_of(verb)), (verb, number)


# What programs read.

@test
def every_metric_is_in_the_manual_and_back():
    told = set(re.findall(r"_(parley_[a-z_]+?)_(?= |,|\.|\n)",
                          read("doc", "parleyd.8.scd").partition("# METRICS")[2]))
    code = read("src", "daemon", "metrics.c")
    shown = set()
    for name, kind in re.findall(r'family\(out, "(parley_[a-z_]+)",\s*"([a-z]+)"', code):
        shown.add(name + {"counter": "_total", "info": "_info"}.get(kind, ""))
    shown |= set(re.findall(r'\*name = "(parley_[a-z_]+)"', code))
    same("metric", told, shown)


@test
def every_event_of_the_log_is_in_the_manual():
    code = sources("daemon", "site", "stream", "router", "component", "contacts", "gateway",
                   "log", "net")
    events = set(re.findall(r'pl_log_event\([^;"]*PL_LOG_\w+,\s*"([a-z-]+)"', code))
    events |= set(re.findall(r'"event", "([a-z-]+)"', code))
    events |= set(re.findall(r'"(component-[a-z]+)"', code))
    events |= set(re.findall(r'"(sm-(?:enabled|resumed|failed))"', code))
    page = read("doc", "parleyd.8.scd")
    told = set(re.findall(r"event=([a-z-]+)", page))
    told |= set(re.findall(r"\*([a-z-]+)\*", page.partition("## OTHER EVENTS")[2]
                           .partition("\n# ")[0])) | {"negotiated", "failed"}
    missing = events - told
    assert len(events) > 20 and not missing, (len(events), missing)


@test
def the_readme_names_every_tool_and_page():
    text = read("README.md")
    for tool in "quickstart", "test", "interop", "bench":
        assert os.access(os.path.join(SOURCE, "tools", tool), os.X_OK), tool
        assert "tools/" + tool in text, tool


sys.exit(cases.run(tests))
