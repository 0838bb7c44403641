"""A component by slixmpp, the library that many gateways are written with.

Run by the system's own Python, which has Debian's package:

    python3 gateway.py DOMAIN SECRET ADDRESS PORT [numbered]

It reads one request a line and answers one JSON object a line, in order:

    ping TO | version TO | message TO BODY | end

With the word `numbered` it also sends stanzas without waiting for what comes of
them, and says {"came": ID, "type": TYPE} of each message and of each answer:

    numbered message|iq TO ID
"""

import asyncio
import json
import sys

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout


CONDITIONS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


def error_of(stanza):
    """Condition and type of an error. slixmpp itself looks for <error/> in
    jabber:client only, which no stanza of a component is in."""
    for error in stanza.xml:
        if error.tag.endswith("}error"):
            return {"condition": "".join(child.tag[len(CONDITIONS):] for child in error
                                         if child.tag.startswith(CONDITIONS)),
                    "error_type": error.get("type")}
    return {"condition": "", "error_type": ""}


class Gateway(slixmpp.ComponentXMPP):
    def __init__(self, domain, secret, address, port, numbers):
        super().__init__(domain, secret, address, port)
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0092")
        self.register_plugin("xep_0199")
        self.messages, self.numbers = asyncio.Queue(), numbers
        self.reader, self.tasks = None, set()
        self.add_event_handler("session_start", lambda _: self.say(event="attached"))
        self.add_event_handler("disconnected", lambda _: self.say(event="disconnected"))
        self.add_event_handler("stream_error", lambda error: self.say(
            event="stream-error", condition=error["condition"]))
        self.add_event_handler("message", self.on_message)
        self.add_event_handler("message_error", self.on_message)

    def on_message(self, message):
        if self.numbers:
            self.say(came=message["id"], type=message["type"])
        else:
            self.messages.put_nowait(message)

    def numbered(self, kind, to, name):
        if kind == "message":
            message = self.make_message(to, "numbered", mtype="chat",
                                        mfrom="flow@" + self.boundjid.bare)
            message["id"] = name
            message.send()
            return
        iq = self.make_iq_get(ito=to, ifrom=self.boundjid.bare)
        iq["id"] = name
        iq.enable("ping")
        task = self.loop.create_task(self.answer_to(iq, name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer_to(self, iq, name):
        try:
            self.say(came=name, type=(await iq.send(timeout=60))["type"])
        except IqError:
            self.say(came=name, type="error")
        except IqTimeout:
            pass

    @staticmethod
    def say(**what):
        print(json.dumps(what), flush=True)

    async def ask(self, iq):
        """The answer to an iq: its type, or the error's condition."""
        try:
            return {"type": (await iq.send(timeout=15))["type"]}
        except IqError as error:
            return {"type": "error", **error_of(error.iq)}
        except IqTimeout:
            return {"type": "timeout"}

    async def ping(self, to):
        iq = self.make_iq_get(ito=to, ifrom=self.boundjid.bare)
        iq.enable("ping")
        return await self.ask(iq)

    async def version(self, to):
        try:
            iq = await self["xep_0092"].get_version(to, ifrom="bot@" + self.boundjid.bare)
            return {"type": iq["type"], "name": iq["software_version"]["name"]}
        except IqError as error:
            return {"type": "error", **error_of(error.iq)}
        except IqTimeout:
            return {"type": "timeout"}

    async def message(self, to, body):
        """The next message that comes, an echo or an error."""
        self.send_message(to, body, mfrom="bot@%s/r" % self.boundjid.bare, mtype="chat")
        try:
            back = await asyncio.wait_for(self.messages.get(), 15)
        except asyncio.TimeoutError:
            return {"type": "timeout"}
        return {"type": back["type"], "body": back["body"], "from": str(back["from"]),
                "to": str(back["to"]), **error_of(back)}

    async def serve(self):
        # Kept here, since asyncio itself does not keep what nobody else does.
        self.reader = reader = asyncio.StreamReader()
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        verbs = {"ping": self.ping, "version": self.version, "message": self.message}
        while True:
            words = (await reader.readline()).decode().rstrip("\n").split(" ", 2)
            if not words or words[0] == "end":
                await self.disconnect(wait=1)
                self.loop.stop()
                return
            if words[0] == "numbered":
                self.numbered(words[1], *words[2].split(" "))
                continue
            self.say(answer=words[0], **await verbs[words[0]](*words[1:]))


def main():
    domain, secret, address, port, *more = sys.argv[1:]
    gateway = Gateway(domain, secret, address, int(port), "numbered" in more)
    gateway.connect()
    gateway.loop.create_task(gateway.serve())
    gateway.loop.run_forever()


main()
