#!/usr/bin/env python3
"""Views of traces: HTML, SVG, Mermaid, JSON, OpenMetrics, the matrix.

    test_views.py SHOW-VIEW SAMPLES GOLDEN [--update]

SHOW-VIEW prints one view of one trace file. GOLDEN holds what it printed when
somebody had looked at it; --update writes what it prints now.
"""
import difflib
import functools
import html.parser
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cases  # noqa: E402

VIEWS = {"svg": "svg", "mermaid": "mmd", "json": "json", "prom": "prom"}
GOLDEN = ["view-sasl", "view-hostile", "tls-dialback", "tls-not-offered"]
VOID = {"meta", "br", "link", "img", "input", "hr", "wbr", "source", "base", "embed", "area", "col", "track"}
ALLOWED = set("""html head meta title style body main script header footer nav section article div span p h1 h2 h3 h4
h5 h6 a ul ol li dl dt dd table caption thead tbody tr th td code pre strong bdi br details summary
svg g rect path text""".split())
SVG_ALLOWED = set("svg title desc style g a rect path text".split())
# What must never reach a reader's screen as it is: controls, and what turns text round or hides it.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\xa0\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

show_view, samples, golden = None, None, None


@functools.cache
def view(kind, path, status=0):
    done = subprocess.run([show_view, kind, str(path)], capture_output=True, timeout=60)
    assert done.returncode == status, f"{kind} {path}: {done.returncode} {done.stderr.decode()}"
    return done.stdout.decode("utf-8")


def records(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text("utf-8").splitlines()]


class Page(html.parser.HTMLParser):
    """A document, checked while it is read."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.headings, self.tags = [], [], [], [], []
        self.text, self.trace, self.styles, self.labels = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED, f"<{tag}>"
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute twice on <{tag}>"
        for name, value in attrs:
            assert not name.startswith("on"), f"{name} on <{tag}>"
            assert name not in ("src", "srcset", "action", "formaction", "background", "xlink:href", "srcdoc")
            assert value is None or not HIDDEN.search(value), f"hidden character in {name}={value!r}"
            if name == "href":
                assert value.startswith("#"), f"link to {value!r}"
                self.links.append(value[1:])
            elif name == "id":
                self.ids.append(value)
            elif name in ("aria-labelledby", "aria-describedby"):
                self.labels += value.split()
            elif name == "style":
                assert re.fullmatch(r"margin-left:\d+\.\d%;width:\d+\.\d%", value), value
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "th":
            assert dict(attrs).get("scope") in ("row", "col"), "a table header without scope"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data!r}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data!r}")

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.trace.append(data)
        elif inside == "style":
            self.styles.append(data)
        else:
            assert not HIDDEN.search(data), f"hidden character in {data!r}"
            self.text.append(data)


def check_page(text):
    page = Page(text)
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts == [{"type": "application/x-ndjson", "id": "parley-trace"}], scripts
    assert text.count("<script") == 1 and text.lower().count("</script") == 1
    policy = [attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"], policy
    order = [tag for tag, attrs in page.tags]
    assert text.index("Content-Security-Policy") < text.index("<style"), "the policy comes too late"
    assert order.count("main") == 1 and order.count("h1") == 1, "one main, one h1"
    assert page.headings[0] == 1
    for above, below in zip(page.headings, page.headings[1:]):
        assert below <= above + 1, f"heading h{below} under h{above}"
    assert len(set(page.ids)) == len(page.ids), "an id twice"
    for link in page.links + page.labels:
        assert link in page.ids, f"#{link} leads nowhere"
    styles = "".join(page.styles)
    assert "url(" not in styles and "@import" not in styles and "prefers-color-scheme" in styles
    for tag, attrs in page.tags:
        if tag == "svg":
            assert attrs.get("role") and attrs.get("aria-label"), "a picture without a name"
    return page


def embedded(page):
    return [json.loads(line) for line in "".join(page.trace).strip().splitlines()]


def by_number(list_of_records):
    return sorted(list_of_records, key=lambda r: (r["trace"], r["seq"]))


def html_reports():
    """Every sample as a report: sound, and the trace is in it."""
    for path in sorted(samples.glob("*.jsonl")):
        page = check_page(view("html", path))
        assert by_number(embedded(page)) == by_number(records(path)), f"{path.name}: another trace"


def html_opens_again():
    """A report is a trace file itself, and gives the same report."""
    for name in ("view-hostile", "receiver", "no-end"):
        path = samples / f"{name}.jsonl"
        first = view("html", path)
        with tempfile.NamedTemporaryFile(suffix=".html") as file:
            file.write(first.encode())
            file.flush()
            assert view("html", file.name) == first, path.name


def html_order():
    """The verdict first, then the sections in their order."""
    page = check_page(view("html", samples / "tls-not-offered.jsonl"))
    sections = ["verdict", "facts", "findings", "ladder", "timing", "dns", "certificates", "steps", "again"]
    assert [name[3:] for name in page.ids if name[3:] in sections] == sections
    text = " ".join(page.text)
    places = [text.index(word) for word in ("No method", "tls-not-offered", "Why:", "What to do:", "Who, when")]
    assert places == sorted(places), places
    assert "parley probe c.test --from a.test --row 2" in text
    assert "RFC 6120, section 5.3.1" in text


def html_certificates():
    text = " ".join(check_page(view("html", samples / "view-sasl.jsonl")).text)
    for word in ("DNS-ID", "SRV-ID", "XmppAddr", "_xmpp-server.b.example", "2029-01-30 00:00:00 UTC", "799 days left",
                 "DANE-EE, SPKI, SHA2-256", "2 sent", "192.0.2.3", "2001:db8::3", "priority 5, weight 10"):
        assert word in text, word


def html_hostile():
    """What a peer wrote is there to be read, and is nothing else."""
    for name in ("view-hostile.jsonl", "hostile.jsonl"):
        source = view("html", samples / name)
        page = check_page(source)
        text = " ".join(page.text)
        assert "<script>alert(1)</script>" in text, "the text is missing"
        body = source[:source.index('<script type="application/x-ndjson"')]
        for evil in ("<script", "<img", "onerror=alert(2)>", "<iframe", "</pre></details> Z"):
            assert evil not in body, f"{evil} in {name}"
        assert "U+202E" in text or "U+202D" in text, "what turns text round is not shown"
    text = " ".join(check_page(view("html", samples / "view-hostile.jsonl")).text)
    assert "U+001B[31m" in text and "\\xffU+000FU+0000\\xfe" in text
    assert "bytes more in the trace" in text
    # a name that is no domain name makes no command
    assert "parley probe" not in text


def several():
    """Several traces: a list first, that leads to each."""
    names = ["sasl-over-tls", "tls-not-offered", "view-hostile", "no-end"]
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        for name in names:
            file.write((samples / f"{name}.jsonl").read_bytes())
        file.flush()
        page = check_page(view("html", file.name))
        text = " ".join(page.text)
        assert text.index("4 negotiations") < text.index("Who, when")
        assert [f"t{n}" for n in range(1, 5)] == [link for link in page.links if re.fullmatch(r"t\d+", link)]
        assert len(embedded(page)) == len(records(file.name))
        for kind in ("matrix-html", "matrix-svg"):
            check_matrix(kind, view(kind, file.name))


def check_matrix(kind, text):
    if kind == "matrix-svg":
        root = check_svg(text)
        words = "\n".join(root.itertext())
        links = [e.get("href") for e in root.iter() if e.tag.endswith("}a")]
        ids = {e.get("id") for e in root.iter()}
        assert links == ["#c1", "#c2", "#c3", "#c4"] and {link[1:] for link in links} <= ids
    else:
        page = check_page(text)
        words = "\n".join(page.text)
        assert {"c1", "c2", "c3", "c4"} <= set(page.links)
        # each cell says in words what its colour says
        assert sum(1 for tag, attrs in page.tags if attrs.get("class", "").startswith("cell ")) == 18
    for row in range(1, 19):
        assert re.search(rf"\bRow {row}\b", words), f"row {row} is missing"
    for word in ("ok", "differs", "failed", "skipped", "invalid", "TLS not-supported", "SASL optional", "dialback no"):
        assert word in words, word
    assert "The matrix of <b.example>" in words


def check_svg(text):
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    for element in root.iter():
        assert element.tag.split("}")[1] in SVG_ALLOWED, element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on") and not HIDDEN.search(value)
            assert name != "href" or value.startswith("#")
        assert element.text is None or not HIDDEN.search(element.text.replace("\n", ""))
    style = root.find("{http://www.w3.org/2000/svg}style").text
    assert "prefers-color-scheme" in style and "url(" not in style
    assert root.find("{http://www.w3.org/2000/svg}title").text
    return root


def svgs():
    """Every sample as a picture: well-formed XML, all within its frame."""
    for path in sorted(samples.glob("*.jsonl")):
        root = check_svg(view("svg", path))
        width, height = (float(root.get(name)) for name in ("width", "height"))
        inner = next(e for e in root if e.tag.endswith("}svg"))
        for element in inner.iter():
            if element.tag.endswith("}text"):
                x, y, text = float(element.get("x")), float(element.get("y")), element.text or ""
                wide = 7.3 * len(text)
                left = {"middle": x - wide / 2, "end": x - wide}.get(element.get("text-anchor"), x)
                assert 0 <= left and left + wide <= width and 0 < y < height, f"{path.name}: {text!r} is outside"
            if element.tag.endswith("}rect"):
                x, wide = float(element.get("x")), float(element.get("width"))
                assert 0 <= x and x + wide <= width


def mermaids():
    """Lines of the grammar, and nothing of a peer that Mermaid or HTML would take for its own."""
    word = r"(?:[^;#:<>%&\"'`{}\[\]\\\n]|#\d+;)*"
    line = re.compile(rf"    (?:participant [LR] as {word}|[LR]--?>>[LR]: {word}|Note over L(?:,R)?: {word})")
    for path in sorted(samples.glob("*.jsonl")):
        lines = view("mermaid", path).split("\n")
        assert lines[0] == "sequenceDiagram" and lines[-1] == ""
        assert sum("participant" in text[:16] for text in lines) == 2
        for text in lines[1:-1]:
            assert line.fullmatch(text), f"{path.name}: {text!r}"
            assert not re.search(r"\bend\b", text, re.I), f"{path.name}: {text!r}"


def openmetrics(text):
    """The exposition format, as far as a probe needs it (OpenMetrics 1.0)."""
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    families, samples_of, current = {}, {}, None
    for line in text.split("\n")[:-2]:
        meta = re.fullmatch(r"# (TYPE|UNIT|HELP) ([a-z_][a-z0-9_]*) (.+)", line)
        if meta:
            what, name, value = meta.groups()
            if name != current:
                assert name not in families, f"{name} is in two places"
                families[name], current = {}, name
            assert what not in families[name]
            families[name][what] = value
            assert what != "UNIT" or name.endswith("_" + value)
            assert what != "TYPE" or value == "gauge"
            continue
        match = re.fullmatch(r'([a-z_]+)(?:\{([a-z]+)="([a-z0-9-]+)"\})? (-?\d+(?:\.\d+)?)', line)
        assert match, f"no sample: {line!r}"
        name, label, value, number = match.groups()
        assert name == current, f"{name} stands under {current}"
        assert (name, label, value) not in samples_of, f"{line!r} twice"
        samples_of[name, label, value] = float(number)
    for name, family in families.items():
        assert "TYPE" in family and "HELP" in family, name
    return samples_of


def metrics():
    for path in sorted(samples.glob("*.jsonl")):
        samples_of = openmetrics(view("prom", path))
        success = samples_of["probe_success", None, None]
        exit_status = samples_of["parley_probe_exit_status", None, None]
        assert success == (exit_status == 0)
        assert ("probe_duration_seconds", None, None) in samples_of
        assert sum(key[0] == "parley_probe_method" for key in samples_of) == 1
    good = openmetrics(view("prom", samples / "view-sasl.jsonl"))
    assert good["parley_probe_method", "method", "sasl-over-tls"] == 1
    assert good["parley_probe_offered", "what", "external"] == 1
    bad = openmetrics(view("prom", samples / "tls-not-offered.jsonl"))
    assert bad["parley_probe_method", "method", "none"] == 1 and bad["probe_success", None, None] == 0
    assert bad["parley_probe_offered", "what", "starttls"] == 0
    assert ("parley_probe_offered", "what", "external") not in bad, "it never came to that"


def outcome_objects():
    """The keys of the outcome line, in its order and with its types."""
    common = ["time", "level", "stream", "dir", "local", "remote", "event", "method"]
    for path in sorted(samples.glob("*.jsonl")):
        outcome = json.loads(view("json", path))
        assert list(outcome)[:8] == common, list(outcome)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", outcome["time"])
        assert isinstance(outcome["ms"], int) and isinstance(outcome["expected"], list)
        assert isinstance(outcome["row"], int) or outcome["row"] == "none"
        assert isinstance(outcome["stages_ms"], dict) and isinstance(outcome["offers"], list)
        assert isinstance(outcome["findings"], list) and outcome["trace"] == records(path)[0]["trace"]
        failed = outcome["event"] == "failed"
        for key in ("stage", "code", "side", "why", "fix"):
            assert (key in outcome) == failed, key
    outcome = json.loads(view("json", samples / "tls-not-offered.jsonl"))
    assert (outcome["code"], outcome["stage"], outcome["side"], outcome["exit"]) == ("tls-not-offered", "features",
                                                                                    "peer", 7)
    assert outcome["offers"] == ["dialback"] and outcome["method"] == "none"
    assert outcome["rows_would_work"] == [3, 5, 9, 11, 15, 17]


def goldens(update=False):
    for name in GOLDEN:
        for kind, ending in VIEWS.items():
            path, now = golden / f"{name}.{ending}", view(kind, samples / f"{name}.jsonl")
            if update:
                path.write_text(now, "utf-8")
                continue
            was = path.read_text("utf-8")
            diff = "\n".join(difflib.unified_diff(was.splitlines(), now.splitlines(), "was", "is", lineterm=""))
            assert was == now, f"{path.name} (test_views.py --update, once you looked at it):\n{diff[:2000]}"


TEXTS = ["", "\u202e", "</script><!--<script>", "]]>", "a\x00b", "\U000e0041", "\x1b[2J", "\u0301" * 50, "\U0001f600" * 20,
         "\u05d0\u05d1 1 2", "x" * 5000, "-", "<" * 300, "&#0;", "%n%s", "'\"`", "[key#", "[key#1234]", "\r\n\t",
         "9999-99-99T99:99:99Z", "valid", "end", "<a b='", "<a></b></b></b>", "\ufdd0\uffff", "<!DOCTYPE a [", "\u3000"]


def any_value(chance, depth=0):
    """A JSON value that nobody expects where it stands."""
    kind = chance.randrange(9 if depth < 4 else 6)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind < 6:
        return chance.choice([None, True, False, 0, -1, 1 << 62, -(1 << 62), 5269, 1e300, -0.0])
    if kind < 8:
        return [any_value(chance, depth + 1) for _ in range(chance.randrange(5))]
    return {chance.choice(["host", "code", "choice", "<", "\u202e", ""]): any_value(chance, depth + 1)
            for _ in range(chance.randrange(4))}


def change(chance, value):
    """The value with something changed somewhere within."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        if chance.random() < 0.15:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: change(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.6:
        at = chance.randrange(len(value))
        return value[:at] + [change(chance, value[at])] * chance.choice([1, 1, 1, 40]) + value[at + 1:]
    return any_value(chance)


def changed_record(chance, record, others):
    record = dict(record)
    for _ in range(chance.randrange(4)):
        what = chance.randrange(10)
        if what < 5:
            detail = change(chance, record["detail"])
            record["detail"] = detail if isinstance(detail, dict) else {}
        elif what == 5:
            record["summary"] = chance.choice(TEXTS).replace("\x00", "")
        elif what == 6:
            record["raw"] = chance.choice(TEXTS).replace("\x00", "")
            record.update(chance.choice([{}, {"raw_enc": "b64"}, {"trunc": 5}]))
        elif what == 7:
            other = chance.choice(others)
            record.update(event=other["event"], stage=other["stage"], dir=other["dir"], enc=other["enc"])
        elif what == 8:
            record["mono_us"] = chance.choice([0, 1, record["mono_us"], 1 << 61, 999999])
        else:
            record["hop"] = chance.choice(["?>?", "\u202e>" + "b" * 900, "a;b>c'd", "a.test>b.test"])
    return record


def without_nul(value):
    """The reader takes no NUL in a text; that is its own test."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [without_nul(one) for one in value]
    if isinstance(value, dict):
        return {without_nul(key): without_nul(one) for key, one in value.items()}
    return value


def mutations(seed=1, count=30):
    """Traces that somebody tampered with: documents stay sound, whatever is in them."""
    chance = random.Random(seed)
    whole = [records(path) for path in sorted(samples.glob("*.jsonl"))]
    every = [record for trace in whole for record in trace]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        for number in range(count):
            trace = [changed_record(chance, record, every) for record in chance.choice(whole)
                     if chance.random() < 0.95]
            for record in trace:
                record["trace"] = f"{number + 1:012x}"
                file.write(json.dumps(without_nul(record), ensure_ascii=chance.random() < 0.5) + "\n")
        file.flush()
        check_page(view("html", file.name))
        check_page(view("matrix-html", file.name))
        check_svg(view("matrix-svg", file.name))
        view("all", file.name)


def long_traces():
    """Thousands of records: what is not drawn is counted, and the time does not run away."""
    lines = (samples / "tls-dialback.jsonl").read_text("utf-8").splitlines()
    middle = [json.loads(line) for line in lines[1:-1]]
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.write(lines[0] + "\n")
        for number in range(5000):
            record = dict(middle[number % len(middle)], seq=number + 2, mono_us=number * 1000)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        file.write(json.dumps(dict(json.loads(lines[-1]), seq=5002, mono_us=5000000)) + "\n")
        file.flush()
        text = " ".join(check_page(view("html", file.name)).text)
        for words in ("4600 more steps are not drawn", "2000 more steps are in the trace", "more handshakes"):
            assert words in text, words
        check_svg(view("svg", file.name))
        assert view("mermaid", file.name).count("\n") < 410


def small_buffers():
    """A document that does not fit is refused, not cut."""
    view("small", samples / "tls-dialback.jsonl")


def refused():
    """What is no trace makes no report."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.write(b'{"v":1}\n{"v":1}\n')
        file.flush()
        assert view("html", file.name, status=2) == ""


def main():
    global show_view, samples, golden
    show_view, samples, golden = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    if "--update" in sys.argv:
        golden.mkdir(exist_ok=True)
        goldens(update=True)
        return 0
    tests = [html_reports, html_opens_again, html_order, html_certificates, html_hostile, several, svgs, mermaids,
             metrics, outcome_objects, goldens, mutations, long_traces, small_buffers, refused]
    return cases.run(tests)


sys.exit(main())
