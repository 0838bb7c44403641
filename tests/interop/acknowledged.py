#!/usr/bin/env python3
"""Stream management between parleyd and Prosody, and between two parleyd:
acknowledgements in both directions, and connections that are reset in the
middle of the traffic. Every message is counted."""

import select
import socket
import struct
import sys
import threading
import time

from lab import prosody, start
from lab.component import Component
from lab.laboratory import Laboratory
from lab.parleyd import Parleyd, partner
from lab.policy import ROWS
from lab.process import wait_until
from lab.tap import Tap

OURS, BOT = "alpha.example", "bot.alpha.example"
PROSODY, OTHER, OTHER_BOT = "beta.example", "gamma.example", "bot.gamma.example"
PORT, MESSAGES = 5347, 400


class Proxy:
    """Passes bytes on, until it is told to reset all of its connections."""

    def __init__(self, address, target):
        self.target, self.pairs, self.connections = target, [], 0
        self.server = socket.create_server(address)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            self.connections += 1
            pair = client, socket.create_connection(self.target, 5)
            self.pairs.append(pair)
            threading.Thread(target=self._pass, args=(pair,), daemon=True).start()

    def _pass(self, pair):
        try:
            while True:
                for one in select.select(pair, (), ())[0]:
                    data = one.recv(65536)
                    if not data:
                        raise OSError("end")
                    pair[one is pair[0]].sendall(data)
        except (OSError, ValueError):
            for one in pair:
                one.close()

    def reset(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                try:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RD)
                    one.close()
                except OSError:
                    pass


class Counter(Component):
    """Sends numbered messages; counts those that arrive and that come back."""

    def __init__(self, *argv):
        self.got, self.back = {}, {}
        super().__init__(*argv)

    def message(self, element):
        count = self.back if element.get("type") == "error" else self.got
        name = element.get("id")
        count[name] = count.get(name, 0) + 1

    def send(self, target, number):
        self.write("<message from='flow@%s' to='flow@%s' id='m%d'><body>%d</body></message>" %
                   (self.domain, target, number, number))


def services(lab, domain, address):
    return ('components { listen = "%s:%d" }\ncomponent "%s" { secret = "one"  certificate = "%s"  '
            'private-key = "%s" }\n' % (address, PORT, domain, *lab.certificates.get(domain, "valid")))


def managed(server, direction, remote):
    """The "sm" of its stream with a domain."""
    for stream in server.streams():
        if stream["dir"] == direction and stream["remote"] == remote and stream["sm"]:
            return stream["sm"]
    return {}


def arrivals(peer):
    """What came to flow@ at Prosody: {id: times}."""
    found = {}
    with open(peer.folder + "/traffic", encoding="utf-8") as file:
        for line in file:
            kind, what, name = line.split()
            if kind == "message" and what != "error":
                found[name] = found.get(name, 0) + 1
    return found


def from_prosody(peer, name, count):
    with socket.create_connection(peer.control, 2) as control:
        for number in range(count):
            control.sendall(b"message %s flow@%s %s%d\n" % (PROSODY.encode(), BOT.encode(),
                                                            name.encode(), number))
        time.sleep(0.2)     # a line that is cut off is lost


def acknowledged(tap, ours, bot, peer):
    for number in range(50):
        bot.send(PROSODY, number)
    wait_until(lambda: managed(ours, "out", PROSODY).get("unacknowledged") == 0 and
               managed(ours, "out", PROSODY).get("sent") == 50, 10)
    seen = managed(ours, "out", PROSODY)
    tap.case(seen.get("sent") == 50 and seen.get("unacknowledged") == 0,
             "to Prosody: 50 messages, all acknowledged", seen, ours.log()[-2000:])
    tap.case(not seen.get("resumable"), "Prosody keeps no sessions of servers", seen)
    # What opens the stream goes before Prosody asks for management.
    from_prosody(peer, "p", 1)
    wait_until(lambda: managed(ours, "in", PROSODY), 10)
    from_prosody(peer, "q", 50)
    wait_until(lambda: len(bot.got) == 51 and "#queue = 0 (acked:" in peer.process.text(peer.log), 10)
    seen = managed(ours, "in", PROSODY)
    tap.case(len(bot.got) == 51 and seen.get("received") == 50,
             "from Prosody: 50 messages, counted", len(bot.got), seen)
    said = peer.process.text(peer.log)
    tap.case("Received ack request, acking for" in said and "#queue = 0 (acked:" in said,
             "Prosody says so too: acknowledgements both ways", said[-1500:])


def flow(bot, target, proxy, first, resets):
    """Sends all, and breaks the connection a few times on the way."""
    at = {first + MESSAGES * (n + 1) // (resets + 1) for n in range(resets)}
    for number in range(first, first + MESSAGES):
        bot.send(target, number)
        time.sleep(0.002)
        if number in at:
            proxy.reset()


def with_prosody(tap, bot, peer, proxy):
    """Who does not resume cannot say what it had: that may come back as well,
    but nothing is lost, and nothing arrives twice."""
    first = 1000
    wanted = ["m%d" % number for number in range(first, first + MESSAGES)]
    flow(bot, PROSODY, proxy, first, 3)

    def missing():
        got = arrivals(peer)
        return [one for one in wanted if one not in got and one not in bot.back]

    wait_until(lambda: not missing(), 20)
    got = arrivals(peer)
    both = [one for one in wanted if one in got and one in bot.back]
    tap.case(not missing(), "Prosody, 3 resets among %d messages: none lost" % MESSAGES, missing())
    tap.case(all(count == 1 for count in got.values()), "none arrives twice",
             [one for one, count in got.items() if count > 1])
    tap.note("%d arrived, %d came back, %d did both" %
             (sum(one in got for one in wanted), sum(one in bot.back for one in wanted), len(both)))
    tap.case(len(both) <= 3 * 40, "what does both was on its way when the connection broke", both)


def with_parleyd(tap, ours, theirs, bot, other, proxy):
    first = 5000
    wanted = ["m%d" % number for number in range(first, first + MESSAGES)]
    flow(bot, OTHER_BOT, proxy, first, 5)
    wait_until(lambda: len(other.got) >= MESSAGES, 20)
    once = [one for one in wanted if other.got.get(one) == 1]
    tap.case(len(once) == MESSAGES and not any(one in bot.back for one in wanted),
             "two parleyd, 5 resets among %d messages: each arrives once" % MESSAGES,
             len(once), {one: other.got.get(one) for one in wanted if other.got.get(one) != 1},
             [one for one in wanted if one in bot.back], ours.log()[-3000:])
    tap.case(list(other.got) == wanted, "in the order in which they were sent")
    resumed = [server.log().count('"event":"sm-resumed"') for server in (ours, theirs)]
    tap.case(resumed[0] >= 5 and resumed[0] == resumed[1], "each time the stream went on", resumed)
    failed = ours.log().count('"why":"the peer does not resume it"')
    tap.case(failed == 0, "and never was refused", failed)


def main():
    tap = Tap()
    reason = start.impossible()
    missing = prosody.available()
    if reason or missing:
        return tap.skip_all(reason or "%s is not installed" % missing)
    with Laboratory() as lab:
        for domain, address in ((OURS, "127.0.0.1"), (BOT, "127.0.0.1"), (PROSODY, "127.0.0.3"),
                                (OTHER, "127.0.0.4"), (OTHER_BOT, "127.0.0.4")):
            lab.certificates.make((domain, "valid"))
            lab.names.server(domain, address)
        lab.names.start(lab)
        peer = prosody.Prosody(lab, "peer", "127.0.0.3", prosody.POLICIES["all"],
                               {PROSODY: "valid"}, modules=("smacks",))
        to_prosody = Proxy(("127.0.0.5", 5269), ("127.0.0.3", 5269))
        to_other = Proxy(("127.0.0.6", 5269), ("127.0.0.4", 5269))
        theirs = Parleyd(lab, "other", {OTHER: "valid"}, [partner("*", ROWS[7])],
                         address="127.0.0.4", more=services(lab, OTHER_BOT, "127.0.0.4"))
        ours = Parleyd(lab, "main", {OURS: "valid"},
                       [partner(PROSODY, ROWS[7], connect="127.0.0.5:5269"),
                        partner(OTHER, ROWS[7], domains=[OTHER_BOT], connect="127.0.0.6:5269")],
                       more=services(lab, BOT, "127.0.0.1"))
        bot = Counter(BOT, "one", "127.0.0.1", PORT)
        other = Counter(OTHER_BOT, "one", "127.0.0.4", PORT)
        acknowledged(tap, ours, bot, peer)
        with_prosody(tap, bot, peer, to_prosody)
        with_parleyd(tap, ours, theirs, bot, other, to_other)
        for server in ours, theirs:
            status = server.stop()
            tap.case(status == 0 and not server.findings(),
                     "parleyd ends with status 0 and no finding", status, *server.findings())
    return tap.done()


sys.exit(main())
