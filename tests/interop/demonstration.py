#!/usr/bin/env python3
"""The quickstart's demonstration: parleyd and a private Prosody.

parleyd pings four partners and is pinged by them. Three rows give one method
each; the fourth must fail. Then a component sends a message through parleyd to
Prosody, which sends it back; and one negotiation is shown as a ladder. Without
Prosody, a second parleyd stands in, and there is no message.
"""

import os
import re
import shutil
import sys
import threading
import time

from lab import names, namespace, prosody
from lab.component import Component
from lab.laboratory import Laboratory
from lab.parleyd import ROOT, Missing, Parleyd, partner, program
from lab.policy import ROWS
from lab.process import NotReady

OURS, BOT = "alpha.example", "bot.alpha.example"
ANSWERING, TEXT = "sasl.example", "Hello, is anybody there?"
FOLDER = os.environ.get("PARLEY_QUICKSTART") or os.path.join(ROOT, "build", "quickstart")
THEIRS = "127.0.0.3"
SECRET = "the bot's, only for the quickstart"

# partner: (row, what must be negotiated, what is special)
PARTNERS = {
    "sasl.example": (2, "sasl-over-tls"),
    "dialback.example": (13, "tls-dialback"),
    "clear.example": (17, "tcp-dialback"),
    "broken.example": (7, "none"),
}
WORDS = {"sasl-over-tls": "SASL over TLS", "tls-dialback": "TLS Dialback",
         "tcp-dialback": "TCP Dialback", "none": "refused"}

CONFIGURATION = """\
# parleyd's side of the quickstart. Names are served by nsd from names/root.zone.

host "{ours}" {{
	certificate = "{certificate}"
	private-key = "{key}"
}}

listen "127.0.0.1:5269" {{ tls = starttls }}
listen "127.0.0.1:5270" {{ tls = direct }}

trust {{ ca-file = "{ca}" }}
dialback {{ secret = "only for the quickstart" }}

# A service of ours, such as a bot or a gateway, connects here (XEP-0114).
components {{ listen = "127.0.0.1:5347" }}
component "{bot}" {{
	secret = "{secret}"
	certificate = "{bot_certificate}"
	private-key = "{bot_key}"
}}

dns {{
	resolv-conf = "{resolver}"
	trust-anchor-file = "{anchor}"
	allow-loopback = yes	# everything lives on 127.0.0.x here
}}
log {{ level = info  format = text  destination = stderr }}
control {{ socket = "{socket}" }}
user = "root"	# of the private namespace

{partners}
"""

COMMENTS = {
    2: "Row 2: certificates on both sides, nothing else.",
    13: "Row 13: encrypted, authenticated by dialback.",
    17: "Row 17: no TLS at all. For partners that know nothing better.",
    7: "Row 7: TLS is required, and this partner has none: must be refused.",
}


def configuration(lab, folder, connect):
    certificate, key = lab.certificates.get(OURS)
    bot_certificate, bot_key = lab.certificates.get(BOT)
    sections = []
    for domain, (row, _) in PARTNERS.items():
        more = {"connect": connect[domain]} if connect else {}
        sections.append("# %s\n%s\n" % (COMMENTS[row], partner(domain, ROWS[row], **more)))
    return CONFIGURATION.format(
        ours=OURS, certificate=certificate, key=key, ca=lab.certificates.ca,
        bot=BOT, secret=SECRET, bot_certificate=bot_certificate, bot_key=bot_key,
        resolver=os.path.join(lab.folder, "resolv.conf"),
        anchor=lab.names.anchor if not connect else "",
        socket=os.path.join(folder, "control.sock"), partners="\n".join(sections))


def second_parleyd(lab):
    """Stands in for Prosody: three hosts with a certificate, one without TLS."""
    hosts = {domain: "valid" for domain in PARTNERS if domain != "broken.example"}
    back = {"connect": "127.0.0.1:5269"} if names.available() else {}
    Parleyd(lab, "other", hosts, [partner(OURS, ROWS[9], **back)], address=THEIRS, direct=None)
    Parleyd(lab, "broken", {"broken.example": None}, [partner(OURS, ROWS[17], **back)],
            address="127.0.0.4", direct=None)
    return lambda domain: None


def real_prosody(lab):
    """One Prosody; its last host knows no TLS. Returns its way of pinging."""
    hosts = {domain: "valid" for domain in PARTNERS}
    peer = prosody.Prosody(lab, "peer", THEIRS, prosody.POLICIES["all"], hosts,
                           without={"broken.example": ["tls"]})
    return lambda domain: peer.ping(domain, OURS, 6)


class Bot(Component):
    """Sends one message and waits for what comes back."""

    def __init__(self):
        self.came, self.back = threading.Event(), None
        super().__init__(BOT, SECRET, "127.0.0.1", 5347)

    def message(self, element):
        self.back = element
        self.came.set()

    def say(self, target, text, seconds=10):
        """Seconds until the same text was back; None: it did not come."""
        begun = time.monotonic()
        self.write("<message type='chat' from='bot@%s' to='%s' id='hello'><body>%s</body></message>"
                   % (BOT, target, text))
        self.came.wait(seconds)
        good = self.back and self.back.has(text) and self.back.get("type") != "error"
        return time.monotonic() - begun if good else None


def message_there_and_back():
    """(good?, what to print)."""
    bot = Bot()
    seconds = bot.say(ANSWERING, TEXT)
    bot.close()
    text = """
A message of a component, through parleyd to Prosody and back:

  1. %s, a component, connects to parleyd on 127.0.0.1:5347.
  2. It sends "%s" to %s.
  3. parleyd finds %s in DNS, opens a stream and hands the message over.
  4. Prosody sends it back, over a stream of its own to parleyd.
""" % (BOT, TEXT, ANSWERING, ANSWERING)
    if seconds is not None:
        return True, text + '  5. The component has it again, %.1f s later: "%s"' % (seconds, TEXT)
    return False, text + "  5. It did NOT come back%s" % (": %s" % bot.back if bot.back else "")


def ladder(ours):
    """(good?, one negotiation, step by step)."""
    command = "parley probe -c parleyd.conf --from %s %s" % (OURS, ANSWERING)
    done = ours.command("probe", "--from", OURS, "--expect", "sasl-over-tls", ANSWERING)
    return done.returncode == 0, "\nOne negotiation step by step ($ %s):\n\n%s%s" % (
        command, done.stdout, "" if done.returncode == 0 else done.stderr)


def run():
    """Everything inside the namespace; the exit status."""
    with_prosody = not prosody.available() and not names.available()
    with Laboratory() as lab:
        lab.certificates.make((OURS, "valid"), (BOT, "valid"), *[(domain, "valid") for domain in PARTNERS])
        connect = None
        if names.available():
            connect = {domain: THEIRS + ":5269" for domain in PARTNERS}
            connect["broken.example"] = "127.0.0.4:5269"
        else:
            for domain in OURS, BOT:
                lab.names.server(domain, "127.0.0.1")
            for domain in PARTNERS:
                other = domain == "broken.example" and not with_prosody
                lab.names.server(domain, "127.0.0.4" if other else THEIRS)
            lab.names.start(lab)
        if with_prosody:
            print("Peer: Prosody (its own process, on %s)\n" % THEIRS)
        else:
            print("Peer: a second parleyd, because %s is not installed\n" %
                  (prosody.available() or names.available()))
        ping_back = real_prosody(lab) if with_prosody else second_parleyd(lab)
        folder = lab.path("parleyd", "quickstart")
        ours = Parleyd(lab, "quickstart", {}, [], text=configuration(lab, folder, connect))
        for domain in PARTNERS:
            ours.ping(OURS, domain, timeout=8)
            ping_back(domain)
        shown = [message_there_and_back()] if with_prosody else []
        shown.append(ladder(ours))
        status = ours.stop()
        text = ours.log()
    wrong = show(text, with_prosody)
    for _, words in shown:
        print(words)
    wrong += sum(not good for good, _ in shown)
    print("All as it should be." if not wrong else "%d of these are not as they should be." % wrong)
    return 1 if wrong else status


def show(text, with_prosody):
    """parleyd's own lines, and the table of the last of each direction. How many
    cells are wrong."""
    lines = [line for line in text.splitlines() if re.search(r"\bevent=(negotiated|failed)\b", line)]
    print("What parleyd said:\n")
    for line in lines:
        print(line)
    print("\n%-18s %-4s %-43s %-15s %-15s" % ("partner", "row", "our policy", "we dial", "they dial"))
    wrong = 0
    for domain, (row, wanted) in PARTNERS.items():
        cells = []
        for direction in "out", "in":
            method, code = last(lines, domain, direction)
            # A stand-in does not dial by itself where our ping cannot reach it.
            good = method == wanted or (method is None and wanted == "none" and not with_prosody)
            wrong += not good
            cell = WORDS.get(method, "-")
            cells.append(cell + ("" if good else " (wanted: %s)" % WORDS[wanted]))
        print(("%-18s %-4d %-43s %-15s %-15s %s" % (
            domain, row, policy(row), *cells, last(lines, domain, "out")[1] or "")).rstrip())
    return wrong


def policy(row):
    return "tls %s, sasl %s, dialback %s" % (
        *(level.replace("not-supported", "off") for level in ROWS[row][:2]),
        "on" if ROWS[row].dialback else "off")


def last(lines, domain, direction):
    """(method, code) of the last outcome with a partner in a direction."""
    for line in reversed(lines):
        fields = dict(re.findall(r"(?:^| )([\w-]+)=(\S+)", line))
        if fields.get("remote") == domain and fields.get("dir") == direction:
            return fields.get("method"), fields.get("code")
    return None, None


def tidy():
    """Leave what a reader wants to see: configuration, certificates, logs."""
    for name in ("hosts", "nsswitch.conf", "names/nsd.pid", "names/xfrd.state",
                 "names/zone.list", "names/root.served", "prosody/peer/prosody.pid"):
        path = os.path.join(FOLDER, name)
        if os.path.exists(path):
            os.remove(path)


def main():
    if namespace.inside():
        namespace.enter()
        return run()
    try:
        program("parleyd")
        shutil.rmtree(FOLDER, ignore_errors=True)
        status = namespace.run_inside([sys.executable, *sys.argv], FOLDER)
        tidy()
    except (Missing, NotReady, namespace.Unavailable) as fault:
        print("quickstart: %s" % fault, file=sys.stderr)
        return 10
    print("\nThe configuration of this run is in %s:\n"
          "  parleyd/quickstart/parleyd.conf, prosody/peer/prosody.cfg.lua, names/, certs/, log/\n"
          "Next: tools/test runs the tests, tools/interop the whole matrix." % FOLDER)
    return status


sys.exit(main())
