"""A component (XEP-0114) that pings from its domain and answers pings."""

import hashlib
import socket
import threading
import time

from . import valgrind
from .peer import Closed, Stream


class Component:
    def __init__(self, domain, secret, address, port, reads=True):
        self.domain = domain
        self.answers = {}
        self.writing = threading.Lock()
        self.arrived = threading.Condition()
        self.stream = Stream(socket.create_connection((address, port), 5), 5)
        self.stream.send("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'"
                         " xmlns:stream='http://etherx.jabber.org/streams' to='%s'>" % domain)
        header = self.stream.expect("stream")
        digest = hashlib.sha1((header.get("id") + secret).encode()).hexdigest()
        self.stream.send("<handshake>%s</handshake>" % digest)
        self.stream.expect("handshake")
        self.stream.socket.settimeout(None)
        self.number = 0
        if reads:
            threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        stream = self.stream
        try:
            while True:
                element = stream.read()
                if element.name == "iq":
                    self._iq(element)
                elif element.name == "message":
                    self.message(element)
                elif element.name == "/stream":
                    self.ended()
                    self.write("</stream:stream>")
                    break
        except (Closed, OSError):
            pass
        self.ended()
        stream.close()

    def ended(self):
        """Its stream has ended; perhaps more than once."""

    def _iq(self, element):
        if element.get("type") in ("get", "set"):
            self.write("<iq type='result' from='%s' to='%s' id='%s'/>" %
                       (element.get("to"), element.get("from"), element.get("id")))
        else:
            self.answered(element)

    def write(self, text):
        with self.writing:
            self.stream.send(text)

    def message(self, element):
        """For those who want them."""

    def answered(self, element):
        with self.arrived:
            self.answers[element.get("id")] = element
            self.arrived.notify_all()

    def ping(self, target, timeout=8):
        """(answered, what came); a connection that has ended answers nothing."""
        with self.arrived:
            self.number += 1
            name = "lab%d" % self.number
            try:
                self.stream.iq(self.domain, target, name)
            except OSError as error:
                return False, str(error)
            end = time.monotonic() + timeout * valgrind.FACTOR
            while name not in self.answers:
                if not self.arrived.wait(max(0, end - time.monotonic())):
                    return False, "no answer"
            answer = self.answers.pop(name)
        return answer.get("type") == "result", answer.raw

    def close(self):
        self.stream.close()

    def reset(self):
        self.stream.reset()
