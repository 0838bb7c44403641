"""A packet view of the loopback interface: what each TCP connection showed.

A raw socket sees every packet inside our namespace. Connections are put
together far enough to tell what was said in clear, where TLS began, and
whether dialback was seen outside it.
"""

import re
import socket
import struct
import threading

from .process import wait_until

KEEP = 65536            # bytes kept of each direction
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SYN, ACK = 0x02, 0x10


class Half:
    """The bytes of one direction."""

    def __init__(self, first):
        self.first = first      # sequence number of the first byte
        self.data = bytearray()
        self.total = 0

    def take(self, sequence, payload):
        start = (sequence - self.first) & 0xffffffff
        if start != self.total:
            return              # seen before; nothing gets lost on loopback
        self.total += len(payload)
        if len(self.data) < KEEP:
            self.data += payload


class Connection:
    def __init__(self, client, server, sequence):
        self.client, self.server = client, server
        self.sent = Half(sequence)
        self.answered = None

    # What was said in clear.

    def clear(self):
        """(sent, answered) up to where TLS begins."""
        sent = bytes(self.sent.data)
        answered = bytes(self.answered.data) if self.answered else b""
        cut = self.tls_at()
        if cut is None:
            return sent, answered
        end = answered.find(b"<proceed")
        if end < 0:
            return sent[:cut], b""
        end = answered.find(b">", end) + 1
        return sent[:cut], answered[:end]

    def tls_at(self):
        """Where the ClientHello begins in what the client sent, or None."""
        data = bytes(self.sent.data)
        if re.match(rb"\x16\x03[\x01-\x04]..\x01", data, re.S):
            return 0
        answered = bytes(self.answered.data) if self.answered else b""
        if b"<proceed" not in answered:
            return None
        found = re.search(rb"<starttls[^>]*?(/>|>\s*</starttls>)\s*(?=\x16\x03[\x01-\x04]..\x01)",
                          data, re.S)
        return found.end() if found else None

    def direct_tls(self):
        return self.tls_at() == 0

    def tls(self):
        return self.tls_at() is not None

    def header(self):
        """(from, to) of the initiating header in clear; None where absent."""
        found = re.search(rb"<(?:[\w.-]+:)?stream(\s[^>]*)>", self.clear()[0])
        text = found.group(1) if found else b""
        return attribute(text, "from"), attribute(text, "to")

    def pairs(self):
        """(from, to) of header and db:results in clear."""
        sent = self.clear()[0]
        pairs = {self.header()}
        for tag in re.findall(rb"<(?:db:)?result(\s[^>]*)>", sent):
            pairs.add((attribute(tag, "from"), attribute(tag, "to")))
        return pairs

    def verdict(self, initiating, receiving):
        """`type` of the answer to a db:result in clear for that pair."""
        for tag in re.findall(rb"<(?:db:)?result(\s[^>]*)>", self.clear()[1]):
            if (attribute(tag, "from"), attribute(tag, "to")) == (receiving, initiating):
                return attribute(tag, "type")
        return None

    def asked_in_clear(self):
        return re.search(rb"<(?:db:)?(result|verify)\s", self.clear()[0]) is not None

    def describe(self, initiating, receiving):
        """In the words of the method: `tls`, `tcp-dialback` or `none`."""
        if self.tls():
            return "tls+clear-dialback" if self.verdict(initiating, receiving) else "tls"
        if self.verdict(initiating, receiving) == "valid":
            return "tcp-dialback"
        return "none"

    def server_name(self):
        """The SNI of the ClientHello, as far as a search can tell."""
        at = self.tls_at()
        if at is None:
            return None
        found = re.search(rb"\x00\x00(..)(..)\x00(..)([\w.-]+)", bytes(self.sent.data[at:]), re.S)
        if not found:
            return None
        length = struct.unpack("!H", found.group(3))[0]
        return found.group(4)[:length].decode("ascii", "replace")

    def application_protocol(self):
        """Whether the ClientHello offers ALPN xmpp-server."""
        at = self.tls_at()
        return at is not None and b"\x0bxmpp-server" in bytes(self.sent.data[at:at + 2048])


def attribute(tag, name):
    found = re.search((r"""\s%s\s*=\s*(?:'([^']*)'|"([^"]*)")""" % name).encode(), b" " + tag)
    if not found:
        return None
    value = found.group(1) if found.group(1) is not None else found.group(2)
    return value.decode("utf-8", "replace")


class Wire:
    """Listens from start() on, in a thread of its own."""

    def __init__(self):
        self.connections = []
        self.open = {}
        self.lock = threading.Lock()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
        self.socket.bind(("lo", 0))
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _listen(self):
        while True:
            packet, address = self.socket.recvfrom(70000)
            if address[2] != PACKET_OUTGOING:
                self._packet(packet[14:])

    def _packet(self, packet):
        if len(packet) < 40:
            return
        version = packet[0] >> 4
        if version == 4:
            if packet[9] != 6:
                return
            start, length = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
            source, target = (socket.inet_ntoa(packet[at:at + 4]) for at in (12, 16))
        else:
            if packet[6] != 6:
                return
            start, length = 40, 40 + struct.unpack("!H", packet[4:6])[0]
            source, target = (socket.inet_ntop(socket.AF_INET6, packet[at:at + 16])
                              for at in (8, 24))
        if length == 0 or length > len(packet):
            length = len(packet)
        sport, dport, sequence = struct.unpack("!HHI", packet[start:start + 8])
        offset, flags = packet[start + 12] >> 4, packet[start + 13]
        payload = packet[start + offset * 4:length]
        self._segment((source, sport), (target, dport), sequence, flags, payload)

    def _segment(self, source, target, sequence, flags, payload):
        with self.lock:
            if flags & SYN and not flags & ACK:
                connection = Connection(source, target, sequence + 1)
                self.open[source, target] = connection
                self.connections.append(connection)
            elif flags & SYN:
                connection = self.open.get((target, source))
                if connection:
                    connection.answered = Half(sequence + 1)
            elif payload:
                if (source, target) in self.open:
                    self.open[source, target].sent.take(sequence, payload)
                elif (target, source) in self.open and self.open[target, source].answered:
                    self.open[target, source].answered.take(sequence, payload)

    def mark(self):
        """A place in time, for find()."""
        with self.lock:
            return len(self.connections)

    def find(self, since=0, client=None, server=None, initiating=None, receiving=None):
        """Connections by the ends' addresses, ports or stream addresses."""
        with self.lock:
            chosen = self.connections[since:]

        def end_fits(end, wanted):
            return all(want is None or got == want for got, want in zip(end, wanted))

        if client:
            chosen = [one for one in chosen if end_fits(one.client, client)]
        if server:
            chosen = [one for one in chosen if end_fits(one.server, server)]
        if initiating or receiving:
            chosen = [one for one in chosen if (initiating, receiving) in one.pairs()]
        return chosen

    def wait_for(self, seconds=1.0, **what):
        return wait_until(lambda: self.find(**what), seconds) or []
