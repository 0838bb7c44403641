"""A scripted peer: S2S streams that do just what a test says, no more.

`Stream` is one connection in either role. `Server` accepts streams and behaves
well; a test takes a method of it over to behave badly. The reader knows
as much XML as our own daemon and well-behaved servers write.
"""

import base64
import re
import socket
import ssl
import struct
import threading
import time

from . import valgrind
from .process import wait_until

NS_TLS = "urn:ietf:params:xml:ns:xmpp-tls"
NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
NS_STREAMS = "urn:ietf:params:xml:ns:xmpp-streams"
NS_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"
TAG = re.compile(rb"<(?:[^<>'\"]|'[^']*'|\"[^\"]*\")*>")
ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*(?:'([^']*)'|"([^"]*)")""")
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": '"'}


def unescape(text):
    return re.sub(r"&(\w+);", lambda found: ENTITIES.get(found.group(1), "?"), text)


class Element:
    """One child of the stream, or its header (`stream`) or its end (`/stream`)."""

    def __init__(self, raw, tag):
        self.raw = raw.decode("utf-8", "replace")
        text = tag.decode("utf-8", "replace").strip("<>/").strip()
        name = re.match(r"[^\s/>]+", text)
        self.name = name.group(0).split(":")[-1] if name else ""
        if tag.startswith(b"</"):
            self.name = "/" + self.name
        self.attributes = {key: unescape(one or two)
                           for key, one, two in ATTRIBUTE.findall(text)}

    def get(self, name, default=None):
        return self.attributes.get(name, default)

    def has(self, text):
        return text in self.raw

    @property
    def text(self):
        """Character data directly inside, for elements without children."""
        found = re.match(r"(?s)<[^>]*>([^<]*)", self.raw)
        return unescape(found.group(1)) if found else ""

    def __repr__(self):
        return self.raw


class Closed(Exception):
    """The peer ended the connection, or nothing came in time."""


class Stream:
    def __init__(self, connection, timeout=5.0):
        self.socket = connection
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout * valgrind.FACTOR)
        self.buffer = b""
        self.tls = False
        self.id = None

    @classmethod
    def connect(cls, address, port=5269, timeout=5.0, source=None):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        if source:
            connection.bind((source, 0))
        connection.connect((address, port))
        return cls(connection, timeout)

    @property
    def port(self):
        """Our end's port, as parleyd's `addr` has it."""
        return self.socket.getsockname()[1]

    # Writing.

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def header(self, source=None, target=None, version="1.0", more="", declare_db=True, id=None):
        """A stream header of ours, in either role."""
        text = "<?xml version='1.0'?><stream:stream xmlns='jabber:server'" \
               " xmlns:stream='http://etherx.jabber.org/streams'"
        if declare_db:
            text += " xmlns:db='jabber:server:dialback'"
        for name, value in (("from", source), ("to", target), ("id", id), ("version", version)):
            if value is not None:
                text += " %s='%s'" % (name, value)
        self.send(text + more + ">")

    # Reading.

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except TimeoutError as error:
            raise Closed("nothing came for %s s" % self.socket.gettimeout()) from error
        except (OSError, ssl.SSLError) as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("end of the connection")
        self.buffer += data

    def read(self):
        """The next header, element or end."""
        depth, at, begun, first = 0, 0, None, None
        while True:
            found = TAG.search(self.buffer, at)
            if not found:
                self._fill()
                continue
            tag, at = found.group(0), found.end()
            if tag.startswith((b"<?", b"<!")):
                continue
            if begun is None:
                begun, first = found.start(), tag
                if re.match(rb"</?(?:[\w.-]+:)?stream[\s>]", tag):
                    break
            depth += -1 if tag.startswith(b"</") else 0 if tag.endswith(b"/>") else 1
            if depth <= 0:
                break
        raw, self.buffer = self.buffer[begun:at], self.buffer[at:]
        element = Element(raw, first)
        if element.name == "stream":
            self.id = element.get("id")
        return element

    def expect(self, *names, skip=("features",)):
        """The next element, which must have one of the names; others named in
        `skip` may come before it."""
        while True:
            element = self.read()
            if element.name in names:
                return element
            if element.name not in skip:
                raise Closed("wanted %s, got %s" % ("/".join(names), element.raw[:500]))

    def rest(self, seconds=None):
        """Everything until the end of the connection, as text."""
        if seconds:
            self.socket.settimeout(seconds)
        try:
            while True:
                self._fill()
        except Closed as closed:
            self.ended = str(closed)
        return self.buffer.decode("utf-8", "replace")

    def closed_within(self, seconds):
        """Seconds until the connection ended, or None if it did not."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            self.socket.settimeout(max(0.05, seconds - (time.monotonic() - begun)))
            try:
                self._fill()
            except Closed as closed:
                if str(closed).startswith("nothing came"):
                    return None
                return time.monotonic() - begun
        return None

    # The steps of a negotiation.

    def open(self, source, target, **more):
        """Send the header; the answer's header and features."""
        self.header(source, target, **more)
        header = self.expect("stream")
        if more.get("version", "1.0") is None:
            return header, None
        return header, self.read()

    def wrap(self, context, server=False, name=None):
        self.socket = context.wrap_socket(self.socket, server_side=server,
                                          server_hostname=None if server else name)
        self.tls, self.buffer = True, b""

    def starttls(self, context, name=None):
        self.send("<starttls xmlns='%s'/>" % NS_TLS)
        self.expect("proceed")
        self.wrap(context, name=name)

    def external(self, source, authzid=True):
        text = base64.b64encode(source.encode()).decode() if authzid else "="
        self.send("<auth xmlns='%s' mechanism='EXTERNAL'>%s</auth>" % (NS_SASL, text))
        return self.expect("success", "failure", "error")

    def result(self, source, target, key="0123456789abcdef" * 4):
        self.send("<db:result from='%s' to='%s'>%s</db:result>" % (source, target, key))

    def iq(self, source, target, id="p1"):
        self.send("<iq type='get' from='%s' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>"
                  % (source, target, id))

    def reset(self):
        """Ends the connection with a RST. Under TLS nothing is said either."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A thread that is in recv() keeps the connection; detaching would, too.
        try:
            self.socket.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        self.socket.close()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that reads
        except OSError:
            pass
        self.socket.close()


def client_context(certificate=None, direct=False):
    """TLS as the initiating side; certificate: a (file, key) pair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    if direct:
        context.set_alpn_protocols(["xmpp-server"])
    return context


def server_context(certificate, ca=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class Server:
    """A well-behaved S2S server for some domains, in threads. What came in is
    in `seen`, a list of (moment, stream number, element)."""

    def __init__(self, domains, address, port=5269, *, context=None, direct=False,
                 tls_required=False, external=True, dialback=True, timeout=8.0):
        self.domains = [domains] if isinstance(domains, str) else list(domains)
        self.address, self.port = address, port
        self.context, self.direct = context, direct
        self.tls_required, self.use_external, self.use_dialback = tls_required, external, dialback
        self.timeout = timeout
        self.seen, self.faults, self.streams = [], [], []
        self.lock = threading.Lock()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def refuse(self):
        """From now on nobody gets in."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)    # wakes the thread in accept
        except OSError:
            pass
        self.listener.close()

    def stop(self):
        self.refuse()
        for stream in self.streams:
            stream.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            stream = Stream(connection, self.timeout)
            with self.lock:
                stream.number = len(self.streams)
                self.streams.append(stream)
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            self.serve(stream)
        except (Closed, OSError) as fault:
            self.faults.append(str(fault))
        finally:
            stream.close()

    def note(self, stream, element):
        with self.lock:
            self.seen.append((time.monotonic(), stream.number, element))

    def wait_for(self, name, seconds=5, **attributes):
        """Wait for an element of that name and attributes; None if none came."""
        def look():
            with self.lock:
                for _, _, element in self.seen:
                    if element.name == name and all(element.get(key) == value
                                                    for key, value in attributes.items()):
                        return element
            return None
        return wait_until(look, seconds)

    # Behaviour, one method a moment.

    def serve(self, stream):
        stream.authenticated = False
        if self.direct:
            stream.wrap(self.context, server=True)
        while True:
            element = stream.read()
            self.note(stream, element)
            if element.name == "/stream":
                stream.send("</stream:stream>")
                return
            method = getattr(self, "on_" + element.name, None)
            if method:
                method(stream, element)

    def on_stream(self, stream, header):
        stream.remote = header.get("from")
        stream.local = header.get("to") or self.domains[0]
        stream.header(stream.local, stream.remote, declare_db=self.use_dialback,
                      id="peer%d%s" % (stream.number, "t" if stream.tls else ""))
        if header.get("version"):
            stream.send(self.features(stream))

    def features(self, stream):
        inner = ""
        if self.context and not stream.tls:
            inner += "<starttls xmlns='%s'>%s</starttls>" % (
                NS_TLS, "<required/>" if self.tls_required else "")
        if self.use_external and stream.tls and not stream.authenticated:
            inner += "<mechanisms xmlns='%s'><mechanism>EXTERNAL</mechanism></mechanisms>" % NS_SASL
        if self.use_dialback and not stream.authenticated:
            inner += "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
        return "<stream:features>%s</stream:features>" % inner

    def on_starttls(self, stream, _element):
        if not self.context:
            stream.send("<failure xmlns='%s'/></stream:stream>" % NS_TLS)
            raise Closed("no TLS here")
        stream.send("<proceed xmlns='%s'/>" % NS_TLS)
        stream.wrap(self.context, server=True)

    def on_auth(self, stream, _element):
        stream.send("<success xmlns='%s'/>" % NS_SASL)
        stream.authenticated, stream.buffer = True, b""

    def on_result(self, stream, element):
        if element.get("type"):
            return
        stream.send("<db:result from='%s' to='%s' type='valid'/>" %
                    (element.get("to"), element.get("from")))

    def on_verify(self, stream, element):
        stream.send("<db:verify from='%s' to='%s' id='%s' type='valid'/>" %
                    (element.get("to"), element.get("from"), element.get("id")))

    def on_iq(self, stream, element):
        """A ping is answered on a stream of our own, by dialback or EXTERNAL."""
        if element.get("type") == "get":
            self.answer(stream, element)

    def answer(self, stream, element):
        """By default there is no answer: the outgoing direction alone counts."""
