"""Functions as the cases of a test (Test Anything Protocol)."""

import traceback


def run(functions):
    """Runs each; one that raises has failed. The exit status."""
    failed = 0
    print("1..%d" % len(functions), flush=True)
    for number, function in enumerate(functions, 1):
        try:
            function()
            verdict = "ok"
        except Exception:  # every fault is a failed case
            failed += 1
            verdict = "not ok"
            for line in traceback.format_exc().splitlines():
                print("# " + line)
        print("%s %d - %s" % (verdict, number, function.__name__), flush=True)
    return 1 if failed else 0
