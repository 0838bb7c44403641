#!/usr/bin/env python3
"""Faults of peers, components and the machine, while numbered stanzas flow.

    faults.py [WORD...]     only the cases whose name holds one of the words

After each of them parleyd has as many streams and descriptors as before, and
every stanza arrived once or came back once.
"""

import glob
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from lab import start, valgrind
from lab.component import Component
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.peer import Closed, Server, Stream, client_context, server_context
from lab.policy import ROWS
from lab.process import wait_until
from lab.tap import Tap
from lab.traffic import Attached, Flow, Ledger, numbered

OURS, FLOW, SECOND = "alpha.example", "flow.alpha.example", "second.alpha.example"
THEIRS, THEIR_FLOW = "beta.example", "flow.beta.example"
PORT, THEIR_PORT = 5347, 5348
NEGOTIATE = 4           # seconds, in the configuration
CASES = []

# Where a stream can be when it is reset; the number of messages that may have
# been read by then and so are neither delivered nor returned.
TLS_STATES = ("accept", "header", "answer", "features", "starttls", "proceed", "hello", "tls",
              "header-tls", "features-tls", "auth", "success", "header-auth", "features-auth",
              "message")
CLEAR_STATES = "result", "valid", "clear-message"
STATES = {state: ("%s.reset.example" % state, "127.0.70.%d" % number)
          for number, state in enumerate(TLS_STATES + CLEAR_STATES, 1)}
DOMAINS = {"silent.example": "127.0.71.1", "late.example": "127.0.71.2",
           "quiet.example": "127.0.71.3", "full.example": "127.0.71.4"}


def case(name):
    """Registers a case: it returns faults, as text."""
    def register(function):
        CASES.append((name, function))
        return function
    return register


def must(condition, *text):
    return [] if condition else [" ".join(str(word) for word in text)]


class Peer(Server):
    """A server that tells the ledger of the numbered messages that it reads."""

    def __init__(self, room, domain, address, **more):
        self.ledger = room.ledger
        more.setdefault("context", server_context(room.lab.certificates.get(domain)))
        super().__init__(domain, address, **more)

    def on_message(self, _stream, element):
        self.ledger.came(element.get("id"), element.get("type"))


class Resetting(Peer):
    """Resets the first connection that reaches a state."""

    def __init__(self, room, state, **more):
        self.state, self.fired = state, False
        domain, address = STATES[state]
        super().__init__(room, domain, address, **more)

    def reach(self, stream, state):
        suffix = "-auth" if stream.authenticated else "-tls" if stream.tls else ""
        if self.fired or self.state not in (state, state + suffix if suffix else state):
            return
        if self.state == state and suffix and state in ("header", "features"):
            return
        self.fired = True
        stream.reset()
        raise Closed("reset")

    def serve(self, stream):
        stream.authenticated = False
        self.reach(stream, "accept")
        super().serve(stream)

    def on_stream(self, stream, header):
        self.reach(stream, "header")
        if self.state == "answer" and not stream.tls:
            stream.header(self.domains[0], header.get("from"), id="x")
            self.reach(stream, "answer")
        super().on_stream(stream, header)
        self.reach(stream, "features")

    def on_starttls(self, stream, element):
        self.reach(stream, "starttls")
        if self.state in ("proceed", "hello") and not self.fired:
            stream.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            self.reach(stream, "proceed")
            stream.socket.recv(16)
            self.reach(stream, "hello")
        super().on_starttls(stream, element)
        self.reach(stream, "tls")

    def on_auth(self, stream, element):
        self.reach(stream, "auth")
        super().on_auth(stream, element)
        self.reach(stream, "success")

    def on_result(self, stream, element):
        self.reach(stream, "result")
        super().on_result(stream, element)
        self.reach(stream, "valid")

    def on_message(self, stream, element):
        super().on_message(stream, element)
        self.reach(stream, "message")
        self.reach(stream, "clear-message")


class Room:
    """parleyd with a component, what is counted, and what it was before."""

    def __init__(self, lab):
        self.lab, self.ledger = lab, Ledger()
        partners = [partner("*", ROWS[9])]
        more = 'components { listen = "127.0.0.1:%d" }\n' % PORT
        for domain in FLOW, SECOND:
            more += 'component "%s" { secret = "one"  certificate = "%s"  private-key = "%s" }\n' % (
                domain, *lab.certificates.get(domain))
        self.small = lab.path("small")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.small], check=True)
        more += 'trace { directory = "%s/traces" }\n' % self.small
        self.ours = Parleyd(lab, "main", {OURS: "valid"}, partners, more=more,
                            timeouts="dns = 2  connect = 2  negotiate = %d  drain = 2" % NEGOTIATE)
        self.own = Attached(self.ledger, FLOW, "one", "127.0.0.1", PORT)
        self.servers = []

    def keep(self, server):
        self.servers.append(server)
        return server

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.ours.process.child.pid))

    def state(self):
        """Streams by what they are, and how many descriptors there are."""
        streams = sorted((one["dir"], one["local"], one["remote"], one["method"])
                         for one in self.ours.streams())
        return streams, self.descriptors()

    def close_all(self):
        """Back to where a case begins: no stream but the component's."""
        for server in self.servers:
            server.stop()
        self.servers = []
        for one in self.ours.streams():
            if one["method"] != "component":
                self.ours.command("close", one["remote"])

    def send(self, target, count, source=None):
        """Numbered messages of the component."""
        source = source or self.own
        for _ in range(count):
            source.send("message", "flow@" + target,
                        self.ledger.new("message", source.domain, target))

    def honest(self):
        """Somebody else gets a stream, at once: seconds."""
        begun = time.monotonic()
        stream = external("honest.example", self.lab)
        stream.close()
        return time.monotonic() - begun


def external(domain, lab, until=None, target=FLOW):
    """A stream that EXTERNAL authenticates; until(state) may raise on the way."""
    def reached(state):
        if until:
            until(stream, state)

    stream = Stream.connect("127.0.0.1")
    reached("accept")
    stream.header(domain, target)
    reached("header")
    stream.expect("stream")
    reached("answer")
    stream.expect("features", skip=())
    reached("features")
    stream.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    reached("starttls")
    stream.expect("proceed")
    reached("proceed")
    if until:
        until(stream, "hello")
    stream.wrap(client_context(lab.certificates.get(domain)), name=target)
    reached("tls")
    stream.header(domain, target)
    reached("header-tls")
    stream.expect("stream")
    stream.expect("features", skip=())
    reached("features-tls")
    stream.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>")
    reached("auth")
    stream.expect("success")
    stream.buffer = b""
    reached("success")
    stream.header(domain, target)
    reached("header-auth")
    stream.expect("stream")
    stream.expect("features", skip=())
    reached("features-auth")
    return stream


# Resets.

@case("a peer that we dial resets, at every state")
def resets_of_dialled(room):
    for state in STATES:
        room.keep(Resetting(room, state, context=None) if state in CLEAR_STATES
                  else Resetting(room, state))
    for state, (domain, _) in STATES.items():
        room.send(domain, 3)
    room.ledger.settle(NEGOTIATE + 6)
    faults = ["never got to " + server.state for server in room.servers if not server.fired]
    for state in "success", "valid", "message", "clear-message", "features-auth":
        room.ledger.doubt(STATES[state][0], 0)      # written, and perhaps not read
    return faults


@case("a peer that dials us resets, at every state")
def resets_of_dialler(room):
    domain = "quiet.example"

    def one(wanted):
        def until(stream, state):
            if state == wanted:
                if state == "hello":
                    stream.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
                stream.reset()
                raise Closed("reset")
        try:
            stream = external(domain, room.lab, until)
            stream.send("<message from='flow@%s' to='flow@%s' id='x'><bo" % (domain, FLOW))
            stream.reset()
        except (Closed, OSError, ssl.SSLError) as end:
            return must("reset" in str(end), wanted, "was not reached:", end)
        return must(wanted == "message", wanted, "was not reached")

    with ThreadPoolExecutor(4) as pool:
        faults = sum(pool.map(one, TLS_STATES), [])
    return faults + clear_resets(room, domain)


def clear_resets(room, domain):
    """Dialback: while the key is being verified, and once it is."""
    authority = room.keep(Peer(room, domain, DOMAINS[domain]))
    faults = []
    for wait in False, True:
        stream = Stream.connect("127.0.0.1")
        stream.open(domain, FLOW)
        stream.result(domain, FLOW)
        if wait:
            faults += must(stream.expect("result").get("type") == "valid", "the key was refused")
        stream.reset()
    seen = authority.wait_for("verify", 5)
    return faults + must(seen, "the key was never verified")


@case("an authority resets while a key is verified")
def authority_resets(room):
    class Authority(Peer):
        def on_verify(self, stream, element):
            stream.reset()
            raise Closed("reset")
    domain = "quiet.example"
    room.keep(Authority(room, domain, DOMAINS[domain]))
    stream = Stream.connect("127.0.0.1", timeout=NEGOTIATE + 4)
    stream.open(domain, FLOW)
    stream.result(domain, FLOW)
    answer = stream.expect("result")
    stream.close()
    return must(answer.get("type") == "error", "wanted an error, got", answer)


# Kills.

@case("a peer is killed while stanzas flow")
def peer_killed(room):
    lab = room.lab
    theirs = their_parleyd(lab)
    far = Attached(room.ledger, THEIR_FLOW, "two", "127.0.0.5", THEIR_PORT)
    flow = Flow(room.ledger, [(room.own, far), (far, room.own)], 0.01)
    arrived = wait_until(lambda: room.ledger.count("delivered", THEIR_FLOW, FLOW) > 50, 10)
    since = time.monotonic()
    far.up = False
    theirs.process.kill()
    lab.running.remove(theirs.process)
    wait_until(lambda: not [one for one in room.ours.streams() if one["remote"] == THEIR_FLOW], 3)
    room.ledger.doubt(THEIR_FLOW, since - 0.2)
    time.sleep(0.5)
    theirs.start()
    far.again()
    before = room.ledger.count("delivered", FLOW, THEIR_FLOW)
    back = wait_until(lambda: room.ledger.count("delivered", FLOW, THEIR_FLOW) > before + 20, 8)
    flow.stop()
    room.ledger.settle(8)
    theirs.stop()
    return must(arrived, "nothing flowed") + must(back, "it was not reached again") + \
        must(not theirs.findings(), theirs.findings())


def their_parleyd(lab, **how):
    more = 'components { listen = "127.0.0.5:%d" }\n' % THEIR_PORT
    more += 'component "%s" { secret = "two"  certificate = "%s"  private-key = "%s" }\n' % (
        THEIR_FLOW, *lab.certificates.get(THEIR_FLOW))
    return Parleyd(lab, "theirs", {THEIRS: "valid"}, [partner("*", ROWS[7])],
                   address="127.0.0.5", direct=None, more=more, **how)


@case("a peer that does not read is killed with its queue full")
def unread_peer_killed(room):
    class Stopped(Peer):
        """Reads until the stream is open, and then no more."""
        def __init__(self, *arguments, **more):
            self.ready, self.go = threading.Event(), threading.Event()
            super().__init__(*arguments, **more)

        def on_message(self, stream, element):
            super().on_message(stream, element)
            self.ready.set()
            self.go.wait(20)
            # It is gone for good: what still waits goes to no other stream of
            # its, whose TCP would acknowledge what nobody reads.
            self.refuse()
            stream.reset()
            raise Closed("reset")
    domain = "full.example"
    server = room.keep(Stopped(room, domain, DOMAINS[domain], context=None))
    room.send(domain, 1)
    faults = must(server.ready.wait(8), "the stream never opened")
    fill(room, domain, room.own)
    time.sleep(0.5)
    server.go.set()
    return faults + returned_of(room, FLOW, domain)


class Killed(Peer):
    """Reads the first message and no more. When it goes, what its TCP has
    acknowledged counts as delivered: it is looked at, and not taken."""

    def __init__(self, *arguments, **more):
        self.ready, self.go = threading.Event(), threading.Event()
        super().__init__(*arguments, **more)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def on_message(self, stream, element):
        super().on_message(stream, element)
        self.ready.set()
        self.go.wait(20)
        held = stream.buffer + stream.socket.recv(1 << 22, socket.MSG_PEEK)
        stream.reset()
        for found in re.finditer(rb"<message [^>]* id='([^']*)'.*?</message>", held, re.S):
            self.ledger.came(found.group(1).decode(), None)
        raise Closed("reset")


@case("a dialback peer is killed with 200 messages under way")
def killed_under_way(room):
    domain = "full.example"
    server = room.keep(Killed(room, domain, DOMAINS[domain], context=None))
    room.send(domain, 1)
    faults = must(server.ready.wait(8), "the stream never opened")
    fill(room, domain, room.own, 200)
    time.sleep(1)
    server.go.set()
    faults += must(room.ledger.settle(6), "lost:", len(room.ledger.open()), "of 201")
    there, back = (room.ledger.count(how, FLOW, domain) for how in ("delivered", "returned"))
    return faults + must(there > 1 and back > 50, there, "were acknowledged,", back, "came back")


@case("an incoming stream is closed while its peer sends")
def closed_while_it_sends(room):
    domain, ledger = "honest.example", room.ledger
    stream = external(domain, room.lab)

    def say(count):
        for _ in range(count):
            name = ledger.new("message", domain, FLOW)
            stream.send(numbered("message", "flow@" + domain, room.own.inbox, name))
            time.sleep(0.002)
    say(50)
    closing = threading.Thread(target=room.ours.command, args=("close", domain))
    closing.start()
    say(100)
    closing.join()
    end = stream.expect("/stream")
    say(50)
    stream.send("</stream:stream><message from='flow@%s' to='%s' id='late'/>" %
                (domain, room.own.inbox))
    faults = must(end.name == "/stream", "it was not closed")
    faults += must(stream.closed_within(3) is not None, "the connection stays")
    faults += must(ledger.settle(3), "lost:", len(ledger.open()))
    return faults + must(ledger.count("delivered", domain, FLOW) == 200, "not all arrived")


def fill(room, domain, source, count=1200):
    """Large numbered messages, more than the sockets on the way take."""
    body = "x" * 8192
    for _ in range(count):
        name = room.ledger.new("message", source.domain, domain)
        text = numbered("message", source.inbox, "flow@" + domain, name)
        try:
            source.write(text.replace("numbered", body))
        except OSError:
            room.ledger.not_sent(name)
            return


def returned_of(room, source, target):
    """What the other end never read: with the kernel it is in doubt, and all
    that is behind it comes back."""
    size = -1
    while size != room.ledger.count("returned", source, target):
        size = room.ledger.count("returned", source, target)
        time.sleep(0.7)
    entries = [entry for entry in room.ledger.entries.values()
               if (entry.source, entry.target) == (source, target)]
    numbers = [entry.number for entry in entries if not entry.came]
    back = [entry.number for entry in entries if entry.came == ["returned"]]
    room.ledger.doubt(target, 0)
    return must(back, "nothing came back of", len(entries)) + \
        must(len(numbers) <= 900, len(numbers), "are missing") + \
        must(not numbers or not back or max(numbers) < max(back), "the last ones were lost:",
             numbers[-1:], back[-1:])


@case("a component that does not read is killed with its queue full")
def unread_component_killed(room):
    second = Component(SECOND, "one", "127.0.0.1", PORT, reads=False)
    fill(room, SECOND, room.own)
    time.sleep(0.5)
    held = held_by_kernel(PORT)
    second.reset()
    faults = returned_of(room, FLOW, SECOND)
    missing = sum(not entry.came for entry in room.ledger.entries.values())
    return faults + must(missing <= held // 8192 + 2, missing, "are missing, and the kernel held",
                         held, "bytes")


def held_by_kernel(port):
    """Bytes that were written to connections with a port, and not read."""
    total = 0
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.read().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "01" and any(int(end.split(":")[1], 16) == port
                                         for end in fields[1:3]):
                total += sum(int(queue, 16) for queue in fields[4].split(":"))
    return total


# Names.

@case("the name server goes, and comes back")
def names_gone(room):
    lab = room.lab
    room.keep(Peer(room, "late.example", DOMAINS["late.example"]))
    room.keep(Peer(room, "quiet.example", DOMAINS["quiet.example"]))
    room.send("quiet.example", 1)
    faults = must(room.ledger.settle(8), "nothing arrived before")
    lab.stop(lab.names.process)
    room.send("late.example", 2)
    room.send("quiet.example", 2)
    faults += must(wait_until(lambda: room.ledger.count("returned", FLOW, "late.example") == 2, 8),
                   "nothing came back while names were gone")
    faults += must(room.ledger.count("delivered", FLOW, "quiet.example") == 3,
                   "an open stream stood still")
    lab.names.again(lab)
    begun = time.monotonic()

    def arrives():
        room.send("late.example", 1)
        return wait_until(lambda: room.ledger.count("delivered", FLOW, "late.example"), 0.5)
    faults += must(wait_until(arrives, 12), "the domain was not reached again")
    seconds = time.monotonic() - begun
    return faults + must(seconds < 8 * valgrind.FACTOR, "reached again after %.1f s only" % seconds)


# Certificates.

@case("a certificate is replaced in the midst of a handshake")
def certificate_replaced(room):
    certificate, key = room.lab.certificates.get(FLOW)

    def until(stream, state):
        if state == "proceed":
            room.lab.certificates.renew(FLOW)
            done = room.ours.command("reload")
            faults.extend(must(done.returncode == 0, done.stderr))
    room.keep(Peer(room, "quiet.example", DOMAINS["quiet.example"]))
    room.send("quiet.example", 1)
    faults = must(room.ledger.settle(8), "nothing arrived before")
    stream = next(one["id"] for one in room.ours.streams() if one["remote"] == "quiet.example")
    external("honest.example", room.lab, until).close()
    faults += broken_pair(room, certificate, key)
    room.send("quiet.example", 2)
    faults += must(room.ledger.settle(8), "an open stream stood still")
    still = stream in [one["id"] for one in room.ours.streams()]
    return faults + must(still, "an open stream was dropped") + \
        must(room.ledger.count("delivered", FLOW, "quiet.example") == 3, "not all arrived")


def broken_pair(room, certificate, key):
    """A key of another certificate, and a file that is not there."""
    faults = []
    other = room.lab.certificates.get(SECOND)[1]
    shutil.copy(key, key + ".good")
    shutil.copy(other, key)
    done = room.ours.command("reload")
    faults += must(done.returncode != 0, "a key that does not fit was taken")
    os.remove(key)
    done = room.ours.command("reload")
    faults += must(done.returncode != 0, "a key that is not there was taken")
    room.honest()
    shutil.move(key + ".good", key)
    done = room.ours.command("reload")
    return faults + must(done.returncode == 0, "the good one is refused:", done.stderr)


# The machine.

def filled(path):
    """Fills the file system that the path is on."""
    name = os.path.join(path, "filler")
    with open(name, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return name


@case("the disk of the traces is full")
def traces_full(room):
    filler = filled(room.small)
    room.honest()
    room.keep(Peer(room, "quiet.example", DOMAINS["quiet.example"]))
    room.send("quiet.example", 2)
    faults = must(room.ledger.settle(8), "nothing arrives with the disk full")
    told = wait_until(lambda: "takes no more traces: No space" in room.ours.log(), 4)
    faults += must(told, "the log does not tell of it")
    os.remove(filler)
    before = len(glob.glob(room.small + "/traces/*honest*"))
    room.honest()
    more = wait_until(lambda: len(glob.glob(room.small + "/traces/*honest*")) > before, 3)
    return faults + must(more, "no trace is written afterwards")


@case("the disk of the log is full")
def log_full(room):
    lab = room.lab
    small = lab.path("small-log")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
    log = os.path.join(small, "log")
    other = their_parleyd(lab, start=False)
    with open(other.file, encoding="utf-8") as file:
        text = file.read().replace("destination = stderr", 'destination = "%s"' % log)
    with open(other.file, "w", encoding="utf-8") as file:
        file.write(text)
    other.start()
    far = Attached(room.ledger, THEIR_FLOW, "two", "127.0.0.5", THEIR_PORT)
    filler = filled(small)
    faults = []

    def knock():
        """A stream that ends early: two lines."""
        stream = Stream.connect("127.0.0.5")
        stream.open("quiet.example", THEIRS)
        stream.close()
    for _ in range(15):     # the last page of the file has room still
        knock()
    faults += must(other.command("streams").returncode == 0, "it does not answer")
    faults += must("No space" in other.log(), "stderr does not tell of it:", other.log())
    room.send(THEIR_FLOW, 5)
    room.send(FLOW, 5, far)
    faults += must(room.ledger.settle(8), "nothing arrives with the disk full")
    arrived = [room.ledger.count("delivered", *pair)
               for pair in ((FLOW, THEIR_FLOW), (THEIR_FLOW, FLOW))]
    faults += must(arrived == [5, 5], arrived, "arrived of 5 each way")
    os.remove(filler)
    knock()

    def written():
        with open(log, encoding="utf-8", errors="replace") as file:
            return file.read()
    faults += must(wait_until(lambda: '"lost":' in written(), 3),
                   "the log does not tell how many lines were lost:", written()[-500:])
    status = other.stop()
    return faults + must(status == 0 and not other.findings(), "status", status, other.findings())


@case("the descriptors run out")
def descriptors(room):
    pid = room.ours.process.child.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    room.keep(Peer(room, "quiet.example", DOMAINS["quiet.example"]))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (room.descriptors() + 4, hard))
    waiting = []
    for _ in range(12):
        stream = Stream.connect("127.0.0.1")
        stream.header("quiet.example", FLOW)
        waiting.append(stream)
    room.send("quiet.example", 2)
    time.sleep(1)
    spent = ticks(pid)
    time.sleep(1)
    spent = ticks(pid) - spent
    for stream in waiting:
        stream.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    faults = must(room.ledger.settle(NEGOTIATE + 4), "what could not be dialled did not come back")
    faults += must(spent < 50, "it span meanwhile: %d ticks in a second" % spent)
    begun = time.monotonic()
    external("honest.example", room.lab).close()
    seconds = time.monotonic() - begun
    return faults + must(seconds < 3 * valgrind.FACTOR, "the next one got in after %.1f s" % seconds)


def ticks(pid):
    """CPU time, in hundredths of a second."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def run(room, name, function):
    room.close_all()
    wait_until(lambda: len(room.ours.streams()) == 1, 8)
    time.sleep(0.2)
    before = room.state()
    faults = function(room)
    room.ledger.settle(2)
    faults += room.ledger.faults()[:20]
    summary = room.ledger.summary()
    room.close_all()
    wait_until(lambda: room.state() == before, 12, 0.2)
    after = room.state()
    faults += must(after == before, "before:", before, "after:", after)
    faults += must(room.ours.process.running(), "parleyd has ended")
    faults += room.ours.findings()
    room.own.ledger = room.ledger = Ledger()
    return faults, summary


def main():
    tap = Tap()
    reason = start.impossible()
    if reason:
        return tap.skip_all(reason)
    words = sys.argv[1:]
    with Laboratory() as lab:
        names = {OURS: "127.0.0.1", FLOW: "127.0.0.1", SECOND: "127.0.0.1",
                 THEIRS: "127.0.0.5", THEIR_FLOW: "127.0.0.5", "honest.example": "127.0.0.6"}
        names.update(DOMAINS)
        names.update(STATES.values())
        for domain, address in names.items():
            lab.names.server(domain, address)
        lab.certificates.make(*((domain, "valid") for domain in names))
        lab.names.start(lab)
        room = Room(lab)
        for name, function in CASES:
            if words and not any(word in name for word in words):
                continue
            begun, mark = time.monotonic(), len(room.ours.log())
            try:
                faults, summary = run(room, name, function)
            except (Closed, OSError):       # the other cases are still worth trying
                faults, summary = [traceback.format_exc()], room.ledger.summary()
                room.own.ledger = room.ledger = Ledger()
            tap.case(not faults, "%s (%s)" % (name, summary), *faults,
                     room.ours.log()[mark:][-3000:] if faults else "")
            tap.note("%.1f s" % (time.monotonic() - begun))
            if not room.ours.process.running():
                break
        status = room.ours.stop()
        tap.case(status == 0 and not room.ours.findings(), "parleyd ends with status 0",
                 "status %s" % status, *room.ours.findings())
    return tap.done()


sys.exit(main())
