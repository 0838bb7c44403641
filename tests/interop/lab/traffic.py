"""Numbered stanzas that flow without a pause, and what became of each.

    ledger = Ledger()
    own = Attached(ledger, "first.alpha.example", "secret", "127.0.0.1", 5347)
    far = InProsody(ledger, prosody, "beta.example")
    flow = Flow(ledger, [(own, far), (far, own)], 0.05)
    ...
    flow.stop()
    ledger.settle(8)
    ledger.faults()     # what is lost, doubled, or out of order

Each stanza is either delivered (an iq: answered) or comes back as an error.
Where a process is killed nobody can say of the stanzas of that moment whether
it had read them, so they may be missing, or come back though they arrived:
`doubt` names the moment, and nothing else is forgiven.
"""

import socket
import threading
import time

from . import ejabberd, slixmpp
from .component import Component
from .peer import Closed
from .process import wait_until

KINDS = "message", "iq"


class Entry:
    __slots__ = "kind", "source", "target", "number", "moment", "came"

    def __init__(self, kind, source, target, number):
        self.kind, self.source, self.target, self.number = kind, source, target, number
        self.moment, self.came = time.monotonic(), []


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.entries, self.last = {}, {}
        self.order = {}         # (kind, source, target): as they were delivered
        self.unknown, self.doubts, self.refused = [], [], set()
        self.overtaking = []

    def new(self, kind, source, target):
        with self.lock:
            pair = kind, source, target
            self.last[pair] = number = self.last.get(pair, 0) + 1
            name = "%s:%s:%s:%d" % (kind, source, target, number)
            self.entries[name] = Entry(kind, source, target, number)
        return name

    def not_sent(self, name):
        """The writing failed: perhaps in part."""
        with self.lock:
            self.refused.add(name)

    def came(self, name, kind):
        """kind: as the stanza's type says; "error" came back."""
        with self.lock:
            entry = self.entries.get(name)
            if not entry:
                self.unknown.append(name)
                return
            how = "returned" if kind == "error" else "delivered"
            entry.came.append(how)
            # What comes back may come late: its stream was waited for.
            if how == "delivered":
                key = entry.kind, entry.source, entry.target
                self.order.setdefault(key, []).append((entry.number, name))

    def doubt(self, domain, since, until=None):
        """Whatever went to or from the domain in this time may be missing."""
        with self.lock:
            self.doubts.append((domain, since, until or time.monotonic()))

    def overtakes(self, source, since):
        """What the source sent from then to now is in no sure order."""
        with self.lock:
            self.overtaking.append((source, since, time.monotonic()))

    def _in_order(self, name):
        entry = self.entries[name]
        # What it sends are its own stanzas, and its answers to others' iqs.
        return not any(source in (entry.source, entry.kind == "iq" and entry.target)
                       and since <= entry.moment <= until
                       for source, since, until in self.overtaking)

    def _doubtful(self, name, entry):
        return name in self.refused or any(
            domain in (entry.source, entry.target) and since <= entry.moment <= until
            for domain, since, until in self.doubts)

    # What became of them.

    def open(self):
        with self.lock:
            return [name for name, entry in self.entries.items()
                    if not entry.came and not self._doubtful(name, entry)]

    def settle(self, seconds):
        return wait_until(lambda: not self.open(), seconds, 0.1)

    def count(self, how, source=None, target=None, kind=None):
        with self.lock:
            return sum(entry.came[:1] == [how] for entry in self.entries.values()
                       if source in (None, entry.source) and target in (None, entry.target)
                       and kind in (None, entry.kind))

    def faults(self):
        with self.lock:
            missing = [(name, entry) for name, entry in self.entries.items() if not entry.came]
            faults = ["lost, sent %.2f s after the first: %s" % (entry.moment - self._begun(), name)
                      for name, entry in missing if not self._doubtful(name, entry)]
            faults += ["came %s: %s" % (" and ".join(entry.came), name)
                       for name, entry in self.entries.items() if len(entry.came) > 1
                       and not (entry.came == ["delivered", "returned"]
                                and self._doubtful(name, entry))]
            faults += ["nobody sent " + str(name) for name in self.unknown]
            for key, came in self.order.items():
                numbers = [number for number, name in came if self._in_order(name)]
                faults += ["%s: %d came behind %d" % (" ".join(key), later, earlier)
                           for earlier, later in zip(numbers, numbers[1:]) if later < earlier]
        return faults

    def _begun(self):
        return min(entry.moment for entry in self.entries.values())

    def summary(self):
        """One line: what was sent is what came, came back, and is in doubt."""
        with self.lock:
            count = {"delivered": 0, "returned": 0, "in doubt": 0}
            for name, entry in self.entries.items():
                if entry.came:
                    count[entry.came[0]] += 1
                elif self._doubtful(name, entry):
                    count["in doubt"] += 1
            return "%d sent: " % len(self.entries) + ", ".join(
                "%d %s" % (number, how) for how, number in count.items())

    def doubtful(self):
        with self.lock:
            return [name for name, entry in self.entries.items()
                    if not entry.came and self._doubtful(name, entry)]


# Ends of a flow: `domain`, `inbox` for messages, `up`, and send().

def numbered(kind, source, target, name):
    if kind == "message":
        return ("<message type='chat' from='%s' to='%s' id='%s'><body>numbered</body></message>"
                % (source, target, name))
    return ("<iq type='get' from='%s' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>"
            % (source, target, name))


class Attached(Component):
    """The laboratory's own component."""

    def __init__(self, ledger, domain, secret, address, port):
        self.ledger, self.how = ledger, (domain, secret, address, port)
        self.inbox = "flow@" + domain
        self.again()

    def again(self):
        """Attaches, also after kill()."""
        super().__init__(*self.how)
        self.up = True

    def message(self, element):
        self.ledger.came(element.get("id"), element.get("type"))

    def ended(self):
        if self.up:
            self.up, self.ended_at = False, time.monotonic()

    def answered(self, element):
        self.ledger.came(element.get("id"), element.get("type"))

    def send(self, kind, target, name):
        source = self.inbox if kind == "message" else self.domain
        self.write(numbered(kind, source, target, name))

    def kill(self):
        """A reset, as when its process dies with data unread."""
        self.up = False
        self.reset()


class Slixmpp(slixmpp.Gateway):
    def __init__(self, ledger, domain, secret, address, port):
        self.ledger, self.how = ledger, (domain, secret, address, port, "numbered")
        self.domain, self.inbox = domain, "flow@" + domain
        self.again()

    def again(self):
        """Attaches, also after kill(): to be waited for."""
        super().__init__(*self.how)
        self.up = True

    def heard(self, what):
        if what and "came" in what:
            self.ledger.came(what["came"], what["type"])
        else:
            if what and what.get("event") in ("stream-error", "disconnected"):
                self.ended()
            super().heard(what)

    def ended(self):
        if self.up:
            self.up, self.ended_at = False, time.monotonic()

    def send(self, kind, target, name):
        self.tell("numbered", kind, target, name)

    def kill(self):
        self.up = False
        self.child.kill()
        self.child.wait()


class InProsody:
    """A host of Prosody's, by mod_lab."""

    def __init__(self, ledger, peer, domain):
        self.ledger, self.peer, self.domain = ledger, peer, domain
        self.inbox, self.up = "flow@" + domain, False
        self.connect()
        threading.Thread(target=self._follow, daemon=True).start()

    def connect(self):
        self.control = socket.create_connection(self.peer.control, 2)
        self.up = True

    def send(self, kind, target, name):
        self.control.sendall(("%s %s %s %s\n" % (kind, self.domain, target, name)).encode())

    def _follow(self):
        with open(self.peer.traffic, encoding="utf-8") as file:
            rest = ""
            while True:
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    _, kind, name = line.split(" ")
                    self.ledger.came(name, kind)
                time.sleep(0.02)

    def kill(self):
        self.up = False
        self.peer.kill()
        self.control.close()

    def start(self):
        self.peer.start()
        self.connect()


class InEjabberd(ejabberd.User):
    """An anonymous user of an ejabberd host."""

    def __init__(self, ledger, peer, domain):
        super().__init__(peer.address, domain)
        self.ledger, self.domain, self.up = ledger, domain, True
        self.inbox = self.jid
        self.stream.socket.settimeout(None)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        try:
            while True:
                element = self.stream.read()
                if element.name in KINDS:
                    self.ledger.came(element.get("id"), element.get("type"))
        except (Closed, OSError):
            self.up = False

    def send(self, kind, target, name):
        self.stream.send(numbered(kind, self.jid, target, name))


class Flow(threading.Thread):
    """Messages and iqs of each pair, every `pause` seconds, from ends that are up."""

    def __init__(self, ledger, pairs, pause):
        super().__init__(daemon=True)
        self.ledger, self.pairs, self.pause = ledger, pairs, pause
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(self.pause):
            for source, target in self.pairs:
                for kind in KINDS:
                    if source.up:
                        self._send(kind, source, target)

    def _send(self, kind, source, target):
        name = self.ledger.new(kind, source.domain, target.domain)
        try:
            source.send(kind, target.inbox if kind == "message" else target.domain, name)
        except (OSError, ValueError):
            self.ledger.not_sent(name)

    def stop(self):
        self.over.set()
        self.join()
