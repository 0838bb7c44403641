"""The table of a run: one line an operation, microseconds of CPU."""

SERVERS = "parleyd", "prosody", "ejabberd"


def table(medians):
    bare = medians.get("handshake", {}).get("bare", {})
    lines = []
    if bare:
        lines.append("bare TLS 1.3 handshake, P-256, both certificates: receiving side %.0f us, "
                     "initiating side %.0f us\n" % (bare["receiving_us"], bare["initiating_us"]))
    lines += ["%-30s %10s %10s %10s   %-22s" % ("us of CPU", *SERVERS, "parleyd against"),
              "%-30s %10s %10s %10s   %7s %7s %7s" % ("", "", "", "", "bare", "prosody",
                                                      "ejabberd")]
    for name, servers in medians.items():
        if name in ("handshake", "idle"):
            continue
        reference = bare.get("initiating_us" if name.startswith("out") else "receiving_us")
        lines.append(_line(name, servers, "cpu_us", reference if "EXTERNAL" in name else None))
    for name in "in EXTERNAL, one at a time",:
        if name in medians:
            lines.append(_line("  p50 of that, ms", medians[name], "p50_ms", digits=2))
    if "idle" in medians:
        lines.append(_line("KB resident per idle stream", medians["idle"], "rss_kb"))
        lines.append(_line("idle, us of CPU in a second", medians["idle"],
                           "idle_cpu_us_per_second"))
    return "\n".join(lines)


def _line(name, servers, figure, bare=None, digits=None):
    values = [servers.get(server, {}).get(figure) for server in SERVERS]
    ours, others = values[0], [bare, *values[1:]]
    ratios = ["%.2f x" % (ours / other) if ours is not None and other else "-"
              for other in others]
    cells = ["-" if value is None else "%.*f" % (
        digits if digits is not None else 2 if value < 100 else 0, value) for value in values]
    return "%-30s %10s %10s %10s   %7s %7s %7s" % (name, *cells, *ratios)
