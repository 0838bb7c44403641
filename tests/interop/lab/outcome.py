"""parleyd's outcome lines, out of its log in JSON."""

import json


def records(text):
    """Every line of the log that is a JSON object."""
    found = []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        try:
            found.append(json.loads(line))
        except ValueError:
            continue        # the last line, half written
    return found


def outcomes(text, **wanted):
    """Outcome lines whose keys have the wanted values: `dir` is written
    `direction` by callers who dislike shadowing."""
    if "direction" in wanted:
        wanted["dir"] = wanted.pop("direction")
    return [record for record in records(text)
            if record.get("event") in ("negotiated", "failed")
            and all(record.get(key) == value for key, value in wanted.items())]


def line(record):
    """One outcome as a person reads it."""
    keys = ("dir", "local", "remote", "event", "method", "row", "stage", "code", "tls", "cert",
            "verified-by", "addr", "ms", "why")
    words = []
    for key in keys:
        if record.get(key) is None:
            continue
        value = str(record[key])
        words.append("%s=%s" % (key, json.dumps(value) if " " in value else value))
    return " ".join(words)
