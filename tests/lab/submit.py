"""Puts one mail in by SMTP, from inside a room. The order comes as JSON, the replies go as JSON."""

import json
import smtplib
import sys

TIMEOUT = 60  # seconds


def main():
    order = json.load(sys.stdin)
    with smtplib.SMTP(order["host"], 25, local_hostname="desk.test", timeout=TIMEOUT) as client:
        client.ehlo()
        replies = {"sender": answer(client.mail(order["sender"]))}
        taken = 0
        for recipient in order["recipients"]:
            code, text = client.rcpt(recipient)
            replies[recipient] = answer((code, text))
            taken += code in (250, 251)
        if taken:
            replies["data"] = answer(client.data(order["message"].encode("latin-1")))
    json.dump(replies, sys.stdout)


def answer(reply):
    code, text = reply
    return f"{code} {text.decode('latin-1')}"


main()
