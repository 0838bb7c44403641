// A component written with xmpp.js: node service.mjs FOLDER DOMAIN SECRET ADDRESS PORT
//
// Takes lines (ping JID, message JID TEXT, end) and says lines of JSON; answers
// pings and echoes messages by itself. FOLDER holds node_modules.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import readline from "node:readline";
import path from "node:path";

const [folder, domain, password, address, port] = process.argv.slice(2);
const require = createRequire(path.join(folder, "package.json"));
const library = await import(pathToFileURL(require.resolve("@xmpp/component")));
const { component, xml } = library.default ?? library;

const say = (what) => console.log(JSON.stringify(what));
const xmpp = component({ service: `xmpp://${address}:${port}`, domain, password });
xmpp.reconnect.delay = 300;

xmpp.on("error", (error) => say({ event: "error", condition: error.condition ?? String(error) }));
xmpp.on("online", () => say({ event: "online" }));
xmpp.on("offline", () => say({ event: "offline" }));
xmpp.on("stanza", async (stanza) => {
  const { from, to, type, id } = stanza.attrs;
  if (stanza.is("message") && type !== "error") {
    const body = stanza.getChildText("body") ?? "";
    if (body.startsWith("echo:")) say({ answer: "message", body: body.slice(5), to });
    else await xmpp.send(xml("message", { to: from, from: to, id }, xml("body", {}, "echo:" + body)));
  } else if (stanza.is("message")) {
    say({ answer: "message", type, condition: stanza.getChild("error")?.children[0]?.name });
  } else if (stanza.is("iq") && (type === "get" || type === "set")) {
    await xmpp.send(xml("iq", { type: "result", to: from, from: to, id }));
  } else if (stanza.is("iq") && id?.startsWith("js")) {
    say({ answer: "ping", type, condition: stanza.getChild("error")?.children[0]?.name });
  }
});

let number = 0;
readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const [verb, to, ...rest] = line.split(" ");
  if (verb === "ping") {
    await xmpp.send(xml("iq", { type: "get", from: domain, to, id: "js" + ++number },
                        xml("ping", "urn:xmpp:ping")));
  } else if (verb === "message") {
    await xmpp.send(xml("message", { from: `bot@${domain}/r`, to, id: "m" + ++number },
                        xml("body", {}, rest.join(" "))));
  } else {
    await xmpp.stop().catch(() => {});
    process.exit(0);
  }
});

xmpp.start().catch((error) => say({ event: "failed", condition: error.condition ?? String(error) }));
