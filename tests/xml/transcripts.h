/* The documents of the wire examples, one a direction and parser: negotiations
 * as RFC 6120, XEP-0178, XEP-0220, XEP-0288 and XEP-0198 have them. */
#ifndef TESTS_XML_TRANSCRIPTS_H
#define TESTS_XML_TRANSCRIPTS_H

static const struct {
	const char *name;
	const char *content_ns;
	const char *text;
} transcripts[] = {
{ "SASL over TLS, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='beta.example' version='1.0'>"
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" },
{ "SASL over TLS, receiving", "jabber:server",
	HEADER
	"<stream:features>"
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"
	"</starttls></stream:features>"
	"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" },
{ "SASL over TLS, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='beta.example' version='1.0'>"
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
	"mechanism='EXTERNAL'>YWxwaGEuZXhhbXBsZQ==</auth>" },
{ "SASL over TLS, receiving", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' id='b-0002' from='beta.example' "
	"to='alpha.example' version='1.0' xml:lang='en'><stream:features>"
	"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
	"<mechanism>EXTERNAL</mechanism></mechanisms>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>"
	"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" },
{ "SASL over TLS, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='beta.example' version='1.0'>"
	"<iq type='get' id='p1' from='alpha.example' to='beta.example'>"
	"<ping xmlns='urn:xmpp:ping'/></iq>" },
{ "SASL over TLS, receiving", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' id='b-0003' from='beta.example' "
	"to='alpha.example' version='1.0' xml:lang='en'><stream:features>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>" },
{ "SASL over TLS, receiving", "jabber:server",
	HEADER
	"<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>" },
{ "SASL over TLS, initiating", "jabber:server",
	HEADER
	"<response "
	"xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>YWxwaGEuZXhhbXBsZQ==</res"
	"ponse>" },
{ "TLS dialback, receiving", "jabber:server",
	HEADER
	"<stream:features>"
	"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>"
	"<db:result from='beta.example' to='alpha.example' type='valid'/>" },
{ "TLS dialback, initiating", "jabber:server",
	HEADER
	"<db:result from='alpha.example' "
	"to='beta.example'>153674de2f2c783bcdddca1de22f8c626a2f72131f3f3743"
	"b504aa2c27e36c64</db:result>"
	"<message from='ann@alpha.example/x' to='bob@beta.example' "
	"type='chat'><body>hi</body></message>" },
{ "TLS dialback, verifying", "jabber:server",
	HEADER
	"<db:verify from='beta.example' to='alpha.example' "
	"id='b-0002'>153674de2f2c783bcdddca1de22f8c626a2f72131f3f3743b504aa"
	"2c27e36c64</db:verify></stream:stream>" },
{ "TLS dialback, authoritative", "jabber:server",
	HEADER
	"<db:verify from='alpha.example' to='beta.example' id='b-0002' "
	"type='valid'/></stream:stream>" },
{ "TCP dialback, receiving", "jabber:server",
	HEADER
	"<stream:features>"
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>"
	"<db:result from='beta.example' to='alpha.example' type='valid'/>" },
{ "TCP dialback, initiating", "jabber:server",
	HEADER
	"<db:result from='alpha.example' "
	"to='beta.example'>0dfdf153dfd2da83e696f8f9f0a02bff09271db0f4480355"
	"d3532ca5286a95cf</db:result>" },
{ "pre-1.0 dialback, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='beta.example' version='1.0'><db:result from='alpha.example' "
	"to='beta.example'>0dfdf153dfd2da83e696f8f9f0a02bff09271db0f4480355"
	"d3532ca5286a95cf</db:result>" },
{ "pre-1.0 dialback, receiving", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' id='b-0001'>"
	"<db:result from='beta.example' to='alpha.example' type='valid'/>" },
{ "pre-1.0 dialback, initiating", "jabber:server",
	"<stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' to='beta.example'>" },
{ "bidi, receiving", "jabber:server",
	HEADER
	"<stream:features>"
	"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
	"<mechanism>EXTERNAL</mechanism></mechanisms>"
	"<bidi xmlns='urn:xmpp:features:bidi'/>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>"
	"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
	"<iq type='result' id='p1' from='beta.example' to='alpha.example'/>"
	"<db:result from='chat.beta.example' "
	"to='alpha.example'>721a64b5598849541dd6d17cdeddc71e2292a8119c32e8e"
	"b9d0e973f80f97b95</db:result>"
	"<message from='room@chat.beta.example/nick' "
	"to='ann@alpha.example'><body>x</body></message>" },
{ "bidi, initiating", "jabber:server",
	HEADER
	"<bidi xmlns='urn:xmpp:bidi'/>"
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
	"mechanism='EXTERNAL'>=</auth>"
	"<iq type='get' id='p1' from='alpha.example' to='beta.example'>"
	"<ping xmlns='urn:xmpp:ping'/></iq>"
	"<db:result from='alpha.example' to='chat.beta.example' "
	"type='valid'/>" },
{ "multiplexed dialback, initiating", "jabber:server",
	HEADER
	"<db:result from='rooms.alpha.example' "
	"to='beta.example'>40d74a938d6c8224e262db12a0c93f03ec60878553d2c5ed"
	"93a124f2866106f7</db:result>"
	"<message from='ann@alpha.example/x' to='bob@beta.example'>"
	"<body>still flowing for the first pair</body></message>"
	"<db:result from='alpha.example' "
	"to='chat.beta.example'>696eed625944681b711f28b65085034b96c46fd8f6f"
	"22606a724be8d1873bf63</db:result>" },
{ "multiplexed dialback, receiving", "jabber:server",
	HEADER
	"<db:result from='beta.example' to='rooms.alpha.example' "
	"type='valid'/>"
	"<db:result from='chat.beta.example' to='alpha.example' "
	"type='error'><error type='cancel'>"
	"<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
	"</error></db:result>" },
{ "direct TLS, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='beta.example' version='1.0'>" },
{ "direct TLS, receiving", "jabber:server",
	HEADER
	"<stream:features>"
	"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
	"<mechanism>EXTERNAL</mechanism></mechanisms>"
	"<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
	"</stream:features>" },
{ "failure, initiating", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' from='alpha.example' "
	"to='gone.example' version='1.0'></stream:stream>" },
{ "failure, receiving", "jabber:server",
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"xmlns:db='jabber:server:dialback' id='b-0009' from='' "
	"to='alpha.example' version='1.0' xml:lang='en'><stream:error>"
	"<host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	"</stream:error></stream:stream>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<stream:features><dialback xmlns='urn:xmpp:features:dialback'/>"
	"</stream:features>" },
{ "failure, initiating", "jabber:server",
	HEADER
	"<stream:error>"
	"<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	"<text xml:lang='en' "
	"xmlns='urn:ietf:params:xml:ns:xmpp-streams'>TLS is required</text>"
	"</stream:error></stream:stream>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<db:result from='beta.example' to='alpha.example' type='error'>"
	"<error type='cancel'>"
	"<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
	"</error></db:result>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>" },
{ "failure, initiating", "jabber:server",
	HEADER
	"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
	"mechanism='EXTERNAL'>YWxwaGEuZXhhbXBsZQ==</auth>"
	"<db:result from='alpha.example' "
	"to='beta.example'>153674de2f2c783bcdddca1de22f8c626a2f72131f3f3743"
	"b504aa2c27e36c64</db:result>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"
	"<not-authorized/></failure>"
	"<db:result from='beta.example' to='alpha.example' type='valid'/>" },
{ "failure, verifying", "jabber:server",
	HEADER
	"<db:verify from='beta.example' to='alpha.example' "
	"id='b-0002'>0000</db:verify>" },
{ "failure, authoritative", "jabber:server",
	HEADER
	"<db:verify from='alpha.example' to='beta.example' id='b-0002' "
	"type='invalid'/>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<db:result from='beta.example' to='alpha.example' type='invalid'/>"
	"</stream:stream>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<db:result from='beta.example' to='alpha.example' type='error'>"
	"<error type='auth'>"
	"<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
	"</db:result>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<db:result from='beta.example' to='alpha.example' type='error'>"
	"<error type='cancel'><remote-server-not-found "
	"xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>" },
{ "failure, authoritative", "jabber:server",
	HEADER
	"<db:verify from='gone.example' to='beta.example' id='b-0002' "
	"type='error'><error type='cancel'>"
	"<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
	"</error></db:verify>" },
{ "failure, initiating", "jabber:server",
	HEADER
	"<message from='x@evil.example' to='bob@beta.example'/>" },
{ "failure, receiving", "jabber:server",
	HEADER
	"<stream:error>"
	"<invalid-from xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
	"</stream:error></stream:stream>" },
{ "failure, initiating", "jabber:server",
	HEADER
	"<db:result from='bank.example' to='beta.example' type='valid'/>" },
{ "component and stream management, initiating", "jabber:component:accept",
	"<stream:stream xmlns='jabber:component:accept' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"to='rooms.alpha.example'>"
	"<handshake>c5dba75c7b2a89ff6e8d104b5a56b3ce4d4f2145</handshake>"
	"<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
	"<message from='ann@alpha.example' to='bob@beta.example'/>"
	"<r xmlns='urn:xmpp:sm:3'/>" },
{ "component and stream management, receiving", "jabber:component:accept",
	"<stream:stream xmlns='jabber:component:accept' "
	"xmlns:stream='http://etherx.jabber.org/streams' "
	"from='rooms.alpha.example' id='c-7f3a'><handshake/>"
	"<enabled xmlns='urn:xmpp:sm:3' id='sm-41' resume='true' "
	"max='300'/><a xmlns='urn:xmpp:sm:3' h='1'/>" },
};

#endif
