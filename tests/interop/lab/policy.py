"""The policy matrix once more, on its own: what two partners should agree on.

Written from the published table, not from parley's code, so that the two can
disagree.
"""

from collections import namedtuple

SASL, TLS_DIALBACK, TCP_DIALBACK = METHODS = "sasl-over-tls", "tls-dialback", "tcp-dialback"
NONE = "none"
REQUIRED, OPTIONAL, NOT_SUPPORTED = LEVELS = "required", "optional", "not-supported"


class Policy(namedtuple("Policy", "tls sasl dialback")):
    __slots__ = ()

    def __str__(self):
        short = {REQUIRED: "req", OPTIONAL: "opt", NOT_SUPPORTED: "no"}
        return "tls=%s sasl=%s db=%s" % (short[self.tls], short[self.sasl],
                                         "yes" if self.dialback else "no")

    def methods(self):
        """What the policy allows, the best first."""
        allowed = []
        if NOT_SUPPORTED not in (self.tls, self.sasl):
            allowed.append(SASL)
        if self.dialback and self.tls != NOT_SUPPORTED and \
                not self.tls == self.sasl == REQUIRED:
            allowed.append(TLS_DIALBACK)
        if self.dialback and self.tls != REQUIRED:
            allowed.append(TCP_DIALBACK)
        return allowed


def _rows():
    number = 0
    for sasl in LEVELS:
        for tls in LEVELS:
            for dialback in True, False:
                number += 1
                yield number, Policy(tls, sasl, dialback)


ROWS = dict(_rows())
VALID_ROWS = {number: row for number, row in ROWS.items() if row.methods()}


def best_common(ours, theirs):
    """The method that both lists hold, best first, or "none"."""
    for method in METHODS:
        if method in ours and method in theirs:
            return method
    return NONE
