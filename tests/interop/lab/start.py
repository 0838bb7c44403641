"""How a test program begins: inside the namespace, or with a reason to skip."""

from . import names, namespace, valgrind
from .parleyd import Missing, program


def impossible():
    """Enter the private network; what stands in the way, or None. A program
    that is not there is a reason; a server that does not start is a fault."""
    missing = names.available()
    if missing:
        return "%s is not installed" % missing
    try:
        reason = valgrind.impossible(program("parleyd"))
        if reason:
            return reason
        program("parley")
        namespace.enter()
    except (Missing, namespace.Unavailable) as reason:
        return str(reason)
    return None
