"""The grid: every valid row against a peer's policies, in both directions.

A case is one row of ours and one policy of the peer's. It has a domain of its
own on the peer's side, and each row one on ours, so that no case sees a stream
of another (jabberd2 sends all its domains over one connection to a domain). Four views of
it are compared: what both policies together promise, parleyd's outcome lines,
the packets, and the peer's own log.
"""

from concurrent.futures import ThreadPoolExecutor

from . import evidence, outcome
from .parleyd import Parleyd, partner
from .policy import NONE, REQUIRED, SASL, TCP_DIALBACK, TLS_DIALBACK, VALID_ROWS, best_common
from .process import wait_until
from .wire import Wire

TIMEOUTS = "dns = 4  connect = 3  negotiate = 6  drain = 2"
SHORT = {SASL: "SASL", TLS_DIALBACK: "TLS-DB", TCP_DIALBACK: "TCP-DB", NONE: "none"}
QUICK_ROWS = 2, 7, 9, 13, 17
AT_ONCE = 4
MOST_FAULTS = 3
SLOW_MS = 7000          # a failure must be found out sooner


class Side:
    """One direction of a case, as parleyd sees it: `out` or `in`."""

    def __init__(self, expected):
        self.expected = expected
        self.lines, self.wire, self.peer = [], [], []
        self.faults, self.traces = [], []

    @property
    def method(self):
        return self.lines[-1].get("method") if self.lines else "-"

    @property
    def code(self):
        return self.lines[-1].get("code") if self.lines else None

    def as_dict(self):
        return {"expected": self.expected, "negotiated": self.method, "code": self.code,
                "why": self.lines[-1].get("why") if self.lines else None,
                "wire": self.wire, "peer": self.peer, "faults": self.faults,
                "traces": self.traces, "lines": self.lines}


class Case:
    def __init__(self, peer, number, name):
        self.number, self.name = number, name
        self.policy = VALID_ROWS[number]
        self.ours = "h%d.alpha.example" % number
        self.domain = "r%d.%s.%s.example" % (number, name, peer.NAME)
        theirs = peer.methods(peer.POLICIES[name])
        expected = best_common(self.policy.methods(), theirs)
        self.sides = {"out": Side(expected), "in": Side(expected)}
        self.faults = []

    @property
    def works(self):
        return all(side.expected != NONE for side in self.sides.values())

    def all_faults(self):
        """Few enough to read: some peers try again hundreds of times."""
        found = list(self.faults)
        for direction, side in self.sides.items():
            found += ["%s: %s" % (direction, fault) for fault in side.faults[:MOST_FAULTS]]
            if len(side.faults) > MOST_FAULTS:
                found.append("%s: and %d more" % (direction, len(side.faults) - MOST_FAULTS))
        return found

    def as_dict(self):
        return {"row": self.number, "peer_policy": self.name, "local": self.ours, "remote": self.domain,
                "faults": self.faults, "ok": not self.all_faults(),
                **{direction: side.as_dict() for direction, side in self.sides.items()}}


class Grid:
    def __init__(self, lab, peer, quick=False):
        self.lab, self.peer = lab, peer
        names = peer.QUICK if quick else list(peer.POLICIES)
        rows = QUICK_ROWS if quick else list(VALID_ROWS)
        self.names = list(names)
        self.cases = [Case(peer, number, name) for name in names for number in rows]
        self.ours = self.instances = self.wire = None
        self.traces = lab.path("traces", peer.NAME)

    def place(self, number):
        return "127.0.10.%d" % number

    def start(self):
        """Names, certificates, the peer, and parleyd with a partner a case."""
        hosts = {name: {} for name in self.names}
        for case in self.cases:
            clear = self.peer.POLICIES[case.name].tls == "not-supported"
            hosts[case.name][case.domain] = None if clear else self.peer.CERTIFICATE
        self.lab.certificates.make(
            *[(case.ours, "valid") for case in self.cases], *[(domain, variant) for domains in hosts.values()
                               for domain, variant in domains.items() if variant])
        ours = sorted({case.ours for case in self.cases})
        for domain in ours:
            self.lab.names.server(domain, "127.0.0.1")
        shared = self.peer.NAME == "ejabberd"
        for index, name in enumerate(self.names, 1):
            for domain in hosts[name]:
                self.lab.names.server(domain, self.place(1 if shared else index))
        self.lab.names.start(self.lab)
        self.wire = Wire().start()
        self.instances = self.peer.launch(self.lab, self.place, hosts)
        self.ours = Parleyd(self.lab, self.peer.NAME, dict.fromkeys(ours, "valid"),
                            [partner(case.domain, case.policy) for case in self.cases],
                            timeouts=TIMEOUTS, more='trace { directory = "%s" }' % self.traces)

    def run(self, done=lambda case: None):
        """Every case, some at once; `done` is called with each."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(self._exchange, self.cases):
                pass
        wait_until(self._peer_logged, 6, 0.2)
        for case in self.cases:
            self._judge(case)
            done(case)

    def findings(self):
        """Faults of parleyd's that belong to no case."""
        found = self.ours.findings()
        if not self.ours.process.running():
            found.append("parleyd ended by itself, status %s" % self.ours.process.child.returncode)
            return found
        status = self.ours.stop()
        if status:
            found.append("parleyd ended with status %d after SIGTERM" % status)
        missing = evidence.attach(self.cases, self.traces)
        if missing:
            found.append("%d sides of cases have no trace" % missing)
        return found + [line for line in self.ours.findings() if line not in found]

    # One case.

    def _exchange(self, case):
        instance = self.instances[case.name]
        status, said = self.ours.ping(case.ours, case.domain)
        if (status == 0) != case.works:
            case.faults.append("our ping ended with status %d: %s" % (status, said))
        answered, text = instance.ping(case.domain, case.ours)
        if answered != case.works:
            case.faults.append("the peer's ping %s: %s" %
                               ("was answered" if answered else "failed", text))
        for direction in case.sides:
            self.ours.wait_outcome(5, local=case.ours, remote=case.domain, direction=direction)

    def _peer_logged(self):
        """Some logs are written late: wait for the last line we look for."""
        for case in self.cases:
            found = self.instances[case.name].negotiated(case.domain, case.ours)
            if case.works and not (found["in"] and found["out"]):
                return False
        return True

    def _judge(self, case):
        found = self.instances[case.name].negotiated(case.domain, case.ours)
        for direction, side in case.sides.items():
            side.lines = self.ours.outcomes(local=case.ours, remote=case.domain, direction=direction)
            side.peer = found["in" if direction == "out" else "out"]
            self._judge_lines(side)
            self._judge_wire(case, direction, side)
            self._judge_peer(side)

    @staticmethod
    def _judge_lines(side):
        if not side.lines:
            side.faults.append("no outcome line")
        wanted = "failed" if side.expected == NONE else "negotiated"
        for line in side.lines:
            if line.get("event") != wanted or line.get("method") != side.expected:
                side.faults.append("expected %s, got: %s" % (side.expected, outcome.line(line)))
            elif wanted == "failed" and not (line.get("code") and line.get("why")):
                side.faults.append("a failure without code or why: " + outcome.line(line))
            elif line.get("ms", 0) > SLOW_MS:
                side.faults.append("too slow: " + outcome.line(line))

    def _judge_wire(self, case, direction, side):
        if direction == "out":
            ends = case.ours, case.domain
        else:
            ends = case.domain, case.ours
        found = self.wire.find(initiating=ends[0], receiving=ends[1])
        side.wire = [one.describe(*ends) for one in found]
        seen = "tls" if side.expected in (SASL, TLS_DIALBACK) else side.expected
        if side.expected == NONE:
            if TCP_DIALBACK in side.wire:
                side.faults.append("the wire shows dialback in clear that succeeded")
        elif seen not in side.wire:
            side.faults.append("the wire shows %s" % (side.wire or "nothing"))
        elif seen == "tls" and (TCP_DIALBACK in side.wire or "tls+clear-dialback" in side.wire):
            side.faults.append("the wire shows dialback in clear besides: %s" % side.wire)
        if direction == "out" and case.policy.tls == REQUIRED:
            for one in found:
                if one.asked_in_clear():
                    side.faults.append("dialback of ours in clear, though TLS is required")
        for line in side.lines:
            self._judge_line_wire(direction, side, line, ends)

    def _judge_line_wire(self, direction, side, line, ends):
        """The line names a connection by its port: compare with that one."""
        port = int(str(line.get("addr") or ":0").rsplit(":", 1)[1])
        if direction != "in" or not port:
            return
        found = self.wire.find(client=(None, port), server=("127.0.0.1", 5269))
        if not found:
            side.faults.append("no connection from the port of " + outcome.line(line))
            return
        # A port is used again in a long run: those of this pair, by their header.
        found = [one for one in found if one.header() == ends] or found
        claimed = line.get("tls") not in (None, "none")
        if all(one.tls() != claimed for one in found):
            side.faults.append("tls=%s, but the wire shows %s" %
                               (line.get("tls"), found[-1].describe(*ends)))

    @staticmethod
    def _judge_peer(side):
        wanted = set() if side.expected == NONE else {side.expected}
        if set(side.peer) != wanted:
            side.faults.append("the peer's log has %s" % (sorted(set(side.peer)) or "nothing"))

    # Showing it.

    def table(self):
        """A line a row, a column a policy: methods out/in, "!" where wrong."""
        width = 15
        policies = ["%s (%s)" % (name, self.peer.POLICIES[name]) for name in self.names]
        lines = ["%s, policies:" % self.peer.NAME] + ["  " + text for text in policies]
        lines.append("row  ours" + " " * 24 + "".join(name.ljust(width) for name in self.names))
        for number in sorted({case.number for case in self.cases}):
            cells = ""
            for case in (one for one in self.cases if one.number == number):
                out, inward = (SHORT.get(case.sides[way].method, "?") for way in ("out", "in"))
                cell = out if out == inward else out + "/" + inward
                cells += (cell + ("" if not case.all_faults() else " !")).ljust(width)
            lines.append("%3d  %s%s" % (number, str(VALID_ROWS[number]).ljust(28), cells.rstrip()))
        return "\n".join(lines)

    def as_dict(self, findings):
        return {"peer": self.peer.NAME, "findings": findings,
                "policies": {name: str(self.peer.POLICIES[name]) for name in self.names},
                "rows": {str(case.number): str(case.policy) for case in self.cases},
                "cases": [case.as_dict() for case in self.cases]}
