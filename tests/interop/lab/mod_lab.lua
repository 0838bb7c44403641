-- Prosody module of the interop laboratory: sends a ping when it is told to on
-- a local port, logs which mechanism authenticated each stream, and sends a
-- message for a bare host back to whom it came from.
--
--     > ping FROM TO SECONDS        < ok | error CONDITION TEXT
--     > message FROM TO ID          from flow@FROM
--     > iq FROM TO ID               a ping; no answer here
--
-- What comes of the last two, and for flow@ any host, is in a file as
-- "message|iq TYPE ID", a line at once.
module:set_global();

local server = require "net.server";
local st = require "util.stanza";
local new_id = require "util.id".medium;

local function ping(from, to, seconds, answer)
	local host = prosody.hosts[from];
	if not host then return answer("error no-such-host " .. from); end
	local iq = st.iq({ type = "get", from = from, to = to, id = new_id() })
		:tag("ping", { xmlns = "urn:xmpp:ping" });
	module:context(from):send_iq(iq, nil, seconds):next(function ()
		answer("ok");
	end, function (err)
		answer(("error %s %s"):format(err.condition or "?", err.text or ""));
	end);
end

local traffic = io.open(module:get_option_string("lab_traffic"), "a");
traffic:setvbuf("no");

local function came(kind, type, id)
	traffic:write(("%s %s %s\n"):format(kind, type, id));
end

local send = {};

function send.message(from, to, id)
	module:context(from):send(st.message({ from = "flow@" .. from, to = to, id = id,
		type = "chat" }, "numbered"));
end

function send.iq(from, to, id)
	local iq = st.iq({ type = "get", from = from, to = to, id = id })
		:tag("ping", { xmlns = "urn:xmpp:ping" });
	module:context(from):send_iq(iq, nil, 60):next(function ()
		came("iq", "result", id);
	end, function (err)
		if err.condition ~= "remote-server-timeout" or not err.text or
				not err.text:match("^IQ stanza timed out") then
			came("iq", "error", id);
		end
	end);
end

local listener = { default_mode = "*l" };

function listener.onincoming(conn, line)
	local verb, sender, target, id = line:match("^(%l+) (%S+) (%S+) (%S+)$");
	if send[verb] then return send[verb](sender, target, id); end
	local from, to, seconds = line:match("^ping (%S+) (%S+) (%d+)");
	if not from then return conn:close(); end
	ping(from, to, tonumber(seconds), function (text)
		conn:write((text:gsub("\n", " ")) .. "\n");
	end);
end

function listener.ondisconnect() end

server.addserver(module:get_option_string("lab_address"),
	module:get_option_number("lab_port", 5280), listener, "*l");

local function authenticated(event)
	local session, here = event.session, module.host;
	local dir = session.direction == "incoming" and "in" or "out";
	local ok, _, port = pcall(function ()
		return session.conn:ip(), session.conn:clientport();
	end);
	module:log("info", "lab: authenticated dir=%s local=%s remote=%s mechanism=%s secure=%s port=%s",
		dir, (dir == "in" and session.to_host or session.from_host) or here, event.host,
		event.mechanism, session.secure and "yes" or "no", ok and port or 0);
end

local function echo(event)
	local message = event.stanza;
	if message.attr.type == "error" then return; end
	local back = st.clone(message);
	back.attr.from, back.attr.to = message.attr.to, message.attr.from;
	module:context(message.attr.to):send(back);
	return true;
end

local function flow(event)
	local message = event.stanza;
	if not message.attr.to:match("^flow@") then return; end
	came("message", message.attr.type or "normal", message.attr.id);
	return true;
end

function module.add_host(host_module)
	host_module:hook("s2s-authenticated", authenticated, 10);
	host_module:hook("message/host", echo, 10);
	host_module:hook("message/bare", flow, 10);
end
