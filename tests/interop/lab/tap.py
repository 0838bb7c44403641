"""Test Anything Protocol: one line a case."""

import sys
import threading
import time


class Tap:
    def __init__(self, out=sys.stdout):
        self.out, self.number, self.failed = out, 0, 0
        self.lock = threading.Lock()
        self.begun = time.monotonic()

    def case(self, passed, name, *detail):
        """Detail lines are shown under a case that failed."""
        with self.lock:
            self.number += 1
            if not passed:
                self.failed += 1
            print("%sok %d - %s" % ("" if passed else "not ", self.number,
                                    name.replace("#", "")), file=self.out)
            for text in detail if not passed else ():
                for line in str(text).splitlines():
                    print("#   " + line, file=self.out)
            self.out.flush()
        return passed

    def skip(self, name, why):
        with self.lock:
            self.number += 1
            print("ok %d - %s # SKIP %s" % (self.number, name, why), file=self.out, flush=True)

    def note(self, text):
        with self.lock:
            for line in str(text).splitlines():
                print("# " + line, file=self.out, flush=True)

    def done(self):
        """Print the plan; the exit status."""
        self.note("%.1f s" % (time.monotonic() - self.begun))
        print("1..%d" % self.number, file=self.out, flush=True)
        return 1 if self.failed else 0

    def skip_all(self, why):
        print("1..0 # SKIP %s" % why, file=self.out, flush=True)
        return 0
