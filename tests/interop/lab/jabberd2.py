"""jabberd2: a router and its s2s; the domain itself is a component of ours."""

import os
import re
import shutil
import threading

from .component import Component
from .policy import NOT_SUPPORTED, OPTIONAL, REQUIRED, TCP_DIALBACK, TLS_DIALBACK, Policy

NAME = "jabberd2"
CERTIFICATE = "wildcard"
SECRET = "secret"

# It knows no SASL between servers and always speaks dialback.
POLICIES = {
    "optional": Policy(OPTIONAL, NOT_SUPPORTED, True),
    "required": Policy(REQUIRED, NOT_SUPPORTED, True),
    "clear": Policy(NOT_SUPPORTED, NOT_SUPPORTED, True),
}
QUICK = "optional", "clear"


def program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")


def available():
    return None if program("jabberd2-s2s") else "jabberd2"


def methods(policy):
    return policy.methods()


def launch(lab, place, hosts):
    """Instances by policy; place(number) is an address, hosts[policy] the
    {domain: variant} of it."""
    return {name: Jabberd2(lab, name, place(number), POLICIES[name], hosts[name])
            for number, name in enumerate(hosts, 1)}


class Jabberd2:
    """One process pair per policy; hosts: {domain: certificate variant}. As
    initiating side it has one certificate for all of them, the first: let it
    be a wildcard."""

    def __init__(self, lab, name, address, policy, hosts, timeout=3):
        self.address, self.hosts, self.policy = address, list(hosts), policy
        self.folder = lab.path("jabberd2", name)
        self.components, self.lock = {}, threading.Lock()
        self._router(lab, name)
        self._s2s(lab, name, hosts, timeout)
        for domain in hosts:
            self.components[domain] = Component(domain, SECRET, address, 5347)

    def _file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _router(self, lab, name):
        users = self._file("users.xml", "<users><user><name>jabberd</name><secret>%s</secret>"
                           "</user></users>" % SECRET)
        rules = self._file("filter.xml", "<filter></filter>")
        path = self._file("router.xml", """<router>
 <id>router</id><log type='stdout'/>
 <local><ip>%s</ip><port>5347</port><users>%s</users><secret>%s</secret></local>
 <check><interval>60</interval><keepalive>0</keepalive></check>
 <io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits>
  <access><order>allow,deny</order></access></io>
 <aliases/><aci><acl type='all'><user>jabberd</user></acl><filter>%s</filter></aci>
</router>
""" % (self.address, users, SECRET, rules))
        self.router = lab.run("jabberd2-router-" + name, [program("jabberd2-router"), "-c", path])
        self.router.wait_port(self.address, 5347)

    def _s2s(self, lab, name, hosts, timeout):
        pem = ""
        if self.policy.tls != NOT_SUPPORTED:
            pem = "<pemfile>%s</pemfile><cachain>%s</cachain>" % (
                self._pem(lab, *next(iter(hosts.items()))), lab.certificates.ca)
        path = self._file("s2s.xml", """<s2s>
 <id>s2s</id>
 <router><ip>%s</ip><port>5347</port><user>jabberd</user><pass>%s</pass>
  <retry><init>5</init><lost>3</lost><sleep>1</sleep></retry></router>
 <log type='stdout'/>
 <local><ip>%s</ip><port>5269</port><secret>jabberd2 secret</secret>%s</local>
 <io><max_fds>1024</max_fds><limits><stanzasize>65535</stanzasize></limits></io>
 <check><interval>1</interval><queue>%d</queue><retry>2</retry><idle>86400</idle>
  <keepalive>0</keepalive><dnscache>300</dnscache></check>
 <lookup><srv>xmpp-server</srv><min-ttl>1</min-ttl><max-ttl>60</max-ttl>
  <bad-host-timeout>2</bad-host-timeout></lookup>
 <security><require_tls>%d</require_tls></security>
</s2s>
""" % (self.address, SECRET, self.address, pem, timeout, self.policy.tls == REQUIRED))
        self.s2s = lab.run("jabberd2-s2s-" + name, [program("jabberd2-s2s"), "-c", path])
        self.s2s.wait_port(self.address, 5269)
        self.s2s.wait_log("connection to router established")

    def _pem(self, lab, domain, variant):
        parts = []
        for path in lab.certificates.get(domain, variant):
            with open(path, encoding="ascii") as file:
                parts.append(file.read())
        return self._file(domain + ".pem", "".join(parts))

    def ping(self, source, target, timeout=8):
        return self.components[source].ping(target, timeout)

    def negotiated(self, here, there):
        """What jabberd2's log says, as seen from jabberd2: it names each route
        that dialback made valid, and TLS where it was there."""
        found = {"in": [], "out": []}
        pattern = (r"\[[^\]]*\] \[[^\]]*\] (incoming|outgoing) route '([^/']+)/([^']+)' is now valid"
                   r"(.*)")
        for way, first, second, rest in re.findall(pattern, self.s2s.text()):
            if (first, second) not in ((here, there), (there, here)):
                continue
            method = TLS_DIALBACK if re.search(r"TLS", rest) else TCP_DIALBACK
            found["in" if way == "incoming" else "out"].append(method)
        return found
