"""Messages as octets: making them, and comparing what came back with what was sent."""

import re

FIELD = re.compile(rb"[!-9;-~]+[ \t]*:.*\r\n(?:[ \t].*\r\n)*", re.IGNORECASE)
RETURN_PATH = re.compile(rb"return-path[ \t]*:", re.IGNORECASE)
ADDED = re.compile(
    rb"(?:(?:Return-Path|Delivered-To|Received|Message-ID|Date):.*\r\n(?:[ \t].*\r\n)*)*\Z",
    re.IGNORECASE,
)


def message(subject, body=b"", sender="rig@client.example.net", extra=b""):
    """A plain message; `extra` holds whole header fields."""
    head = f"From: <{sender}>\r\nDate: Mon, 23 Nov 2026 21:18:07 +0000\r\nSubject: {subject}\r\n"
    return head.encode() + extra + b"\r\n" + body


def without_return_path(octets):
    """The message as final delivery keeps it: RFC 5321 §4.4 lets one Return-Path stand, ours."""
    kept, at = [], 0
    if octets.startswith((b"From ", b">From ")):  # an mbox line in front
        at = octets.index(b"\r\n") + 2
        kept.append(octets[:at])
    while True:
        field = FIELD.match(octets, at)
        if not field:
            break
        if not RETURN_PATH.match(field.group()):
            kept.append(field.group())
        at = field.end()
    return b"".join(kept) + octets[at:]


def came_back(shown, sent):
    """None when `shown` is `sent` behind added fields only; otherwise what differs."""
    if sent and not sent.endswith(b"\r\n"):
        sent += b"\r\n"
    wanted = without_return_path(sent)
    if not shown.endswith(wanted):
        return f"{len(shown)} octets shown do not end with the {len(wanted)} octets sent"
    added = shown[: len(shown) - len(wanted)]
    if not ADDED.match(added):
        return f"octets in front that are no trace fields: {added[:200]!r}"
    if not added:
        return "no trace field in front"
    return None
