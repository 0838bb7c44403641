#!/bin/sh
# zones.sh FOLDER: the zones of the tests, signed, and zones.conf for nsd.
set -eu
cd "$1"

soa='@ 60 IN SOA ns.example. root.example. 1 3600 600 86400 60'

# FILE ORIGIN: signs with a key of its own; the DS record goes to FILE.ds.
sign() {
	key=$(ldns-keygen -a ECDSAP256SHA256 -k "$2")
	ldns-signzone -o "$2" -f "$1.signed" "$1" "$key"
	ldns-key2ds -n -2 "$key.key" >"$1.ds"
	cp "$key.key" "$1.key"
}

# NAME FILE: a zone that nsd serves; without FILE it fails for it (SERVFAIL).
serve() {
	printf 'zone:\n\tname: "%s"\n\tzonefile: "%s"\n' "$1" "${2:-missing}" \
		>>zones.conf
}

: >zones.conf

# --- unsigned
cat >unsigned <<END
\$ORIGIN unsigned.example.
$soa
@ 60 IN NS ns.example.
_xmpp-server._tcp 60 IN SRV 10 0 5269 host
_5269._tcp.host 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
host 60 IN A 192.0.2.20
_xmpp-server._tcp.toward 60 IN SRV 10 0 5269 host.dane.example.
END
serve unsigned.example unsigned

# --- a signed host whose TLSA records are not
cat >halfsigned <<END
\$ORIGIN _tcp.host.halfsigned.example.
$soa
@ 60 IN NS ns.example.
_5269 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
END
serve _tcp.host.halfsigned.example halfsigned

# --- signed, then changed behind the signature
cat >bogus <<END
\$ORIGIN bogus.example.
$soa
@ 60 IN NS ns.example.
_xmpp-server._tcp 60 IN SRV 10 0 5269 host
host 60 IN A 192.0.2.30
_xmpp-server._tcp.badhost 60 IN SRV 10 0 5269 host
_xmpp-server._tcp.good 60 IN SRV 10 0 5269 fine
fine 60 IN A 192.0.2.31
_xmpps-server._tcp.good 60 IN SRV 10 0 5270 fine
_xmpp-server._tcp.halfhost 60 IN SRV 10 0 5269 host
_xmpp-server._tcp.halfhost 60 IN SRV 20 0 5269 fine
_xmpp-server._tcp.tlsa 60 IN SRV 10 0 5269 fine
_5269._tcp.fine 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
END
sign bogus bogus.example
sed -e 's/192\.0\.2\.30/192.0.2.66/' \
	-e 's/^\(_xmpp-server\._tcp\.bogus\.example\..*SRV[^0-9]*\)10 /\166 /' \
	-e 's/^\(_xmpps-server\._tcp\.good.*SRV[^0-9]*\)10 /\166 /' \
	-e 's/00112233445566778899/66112233445566778899/' \
	bogus.signed >bogus.altered
serve bogus.example bogus.altered

# --- the server fails for these
for name in broken.example _xmpps-server._tcp.halfbroken.example \
	_xmpp-server._tcp.lost.example host.deadtarget.example \
	_5269._tcp.host.brokentlsa.example; do
	serve $name
done

# --- the root, with all the rest
cat >root <<END
\$ORIGIN example.
. 60 IN SOA ns.example. root.example. 1 3600 600 86400 60
. 60 IN NS ns.example.
ns 60 IN A 127.0.0.1

unsigned 60 IN NS ns
_tcp.host.halfsigned 60 IN NS ns
broken 60 IN NS ns
_xmpps-server._tcp.halfbroken 60 IN NS ns
_xmpp-server._tcp.lost 60 IN NS ns
host.deadtarget 60 IN NS ns
_5269._tcp.host.brokentlsa 60 IN NS ns
bogus 60 IN NS ns
$(cat bogus.ds)

_xmpp-server._tcp.lab 60 IN SRV 10 0 5269 host.lab
host.lab 60 IN A 192.0.2.10
host.lab 60 IN AAAA 2001:db8::10
lab 60 IN A 192.0.2.10

_xmpp-server._tcp.dt 60 IN SRV 20 0 5269 host.dt
_xmpps-server._tcp.dt 60 IN SRV 10 0 5270 host.dt
host.dt 60 IN A 192.0.2.11

_xmpps-server._tcp.dtonly 60 IN SRV 10 0 5270 host.dt
dtonly 60 IN A 192.0.2.99

nosrv 60 IN A 192.0.2.12
nosrv 60 IN AAAA 2001:db8::12

_xmpp-server._tcp.svcnone 60 IN SRV 0 0 0 .
svcnone 60 IN A 192.0.2.99

_xmpp-server._tcp.onlydirect 60 IN SRV 0 0 0 .
_xmpps-server._tcp.onlydirect 60 IN SRV 10 0 5270 host.dt

_xmpp-server._tcp.nodirect 60 IN SRV 10 0 5269 host.lab
_xmpps-server._tcp.nodirect 60 IN SRV 0 0 0 .

_xmpps-server._tcp.nofallback 60 IN SRV 0 0 0 .
nofallback 60 IN A 192.0.2.99

_xmpp-server._tcp.nothing 60 IN SRV 0 0 0 .
_xmpps-server._tcp.nothing 60 IN SRV 0 0 0 .

_xmpp-server._tcp.dotandmore 60 IN SRV 0 0 0 .
_xmpp-server._tcp.dotandmore 60 IN SRV 10 0 5269 host.lab

_xmpp-server._tcp.deadfirst 60 IN SRV 10 0 5269 gone.deadfirst
_xmpp-server._tcp.deadfirst 60 IN SRV 20 0 5269 host.lab

_xmpp-server._tcp.deadtarget 60 IN SRV 10 0 5269 host.deadtarget
_xmpp-server._tcp.deadtarget 60 IN SRV 20 0 5269 host.lab
_xmpp-server._tcp.alldead 60 IN SRV 10 0 5269 host.deadtarget

_xmpp-server._tcp.noaddress 60 IN SRV 10 0 5269 gone.noaddress

empty 60 IN TXT "a name without addresses"

_xmpp-server._tcp.alias 60 IN SRV 10 0 5269 other.alias
other.alias 60 IN CNAME third.alias
third.alias 60 IN CNAME host.lab
aliased 60 IN CNAME nosrv
_xmpp-server._tcp.srvalias 60 IN CNAME _xmpp-server._tcp.lab
loop 60 IN CNAME pool
pool 60 IN CNAME loop

_xmpp-server._tcp.local 60 IN SRV 10 0 5269 host.local
host.local 60 IN A 127.0.0.1
host.local 60 IN A 0.0.0.0
host.local 60 IN A 169.254.1.1
host.local 60 IN A 224.0.0.1
host.local 60 IN A 255.255.255.255
host.local 60 IN AAAA ::1
host.local 60 IN AAAA ::
host.local 60 IN AAAA fe80::1
host.local 60 IN AAAA ff02::1
host.local 60 IN AAAA ::ffff:127.0.0.1
host.local 60 IN AAAA 64:ff9b::7f00:1

_xmpp-server._tcp.mixed 60 IN SRV 10 0 5269 host.mixed
host.mixed 60 IN A 127.0.0.1
host.mixed 60 IN A 10.1.2.3
host.mixed 60 IN AAAA ::1

_xmpp-server._tcp.halfbroken 60 IN SRV 10 0 5269 host.lab
_xmpps-server._tcp.lost 60 IN SRV 10 0 5270 host.lab
lost 60 IN A 192.0.2.99

_xmpp-server._tcp.odd 60 IN SRV 10 0 5269 a\\.b.odd
_xmpp-server._tcp.odd 60 IN SRV 10 0 5269 a\\000b.odd
_xmpp-server._tcp.odd 60 IN SRV 10 0 5269 a\\032b.odd
_xmpp-server._tcp.odd 60 IN SRV 10 0 0 host.lab
odd 60 IN A 192.0.2.99

_xmpp-server._tcp.upper 60 IN SRV 10 0 5269 HOST.LAB
_xmpp-server._tcp.xn--bcher-kva 60 IN SRV 10 0 5269 host.lab

_xmpp-server._tcp.dane 60 IN SRV 10 0 5269 host.dane
host.dane 60 IN A 192.0.2.40
_5269._tcp.host.dane 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
_5269._tcp.host.dane 60 IN TLSA 2 0 2 00
_5269._tcp.nosrvdane 60 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
nosrvdane 60 IN A 192.0.2.41
_xmpp-server._tcp.halfsigned 60 IN SRV 10 0 5269 host.halfsigned
host.halfsigned 60 IN A 192.0.2.43
_xmpp-server._tcp.away 60 IN SRV 10 0 5269 host.unsigned
_xmpp-server._tcp.brokentlsa 60 IN SRV 10 0 5269 host.brokentlsa
_xmpp-server._tcp.brokentlsa 60 IN SRV 20 0 5269 host.lab
_xmpp-server._tcp.onlybrokentlsa 60 IN SRV 10 0 5269 host.brokentlsa
host.brokentlsa 60 IN A 192.0.2.42

host.many 60 IN A 192.0.2.50
END
i=0
while [ $i -lt 100 ]; do
	echo "_xmpp-server._tcp.many 60 IN SRV $((1000 - i)) 0 $((6000 + i)) host.many" >>root
	i=$((i + 1))
done
i=1
while [ $i -le 20 ]; do
	echo "host.crowd 60 IN A 192.0.2.$((100 + i))" >>root
	echo "host.crowd 60 IN AAAA 2001:db8::$i" >>root
	echo "host.crowd4 60 IN A 192.0.2.$((100 + i))" >>root
	i=$((i + 1))
done
echo "host.crowd4 60 IN AAAA 2001:db8::1" >>root
echo "_xmpp-server._tcp.crowd 60 IN SRV 10 0 5269 host.crowd" >>root
echo "_xmpp-server._tcp.crowd 60 IN SRV 20 0 5269 host.crowd4" >>root
sign root .
cp root.key anchor
serve . root.signed
