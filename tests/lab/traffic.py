"""Puts mail in by SMTP without pause, from inside a room, until its time is over.

The order comes as JSON. Each letter that was answered with 250 is a line of the ledger: its token, its
sender, and the recipients that were taken. What was not promised is not owed.
"""

import json
import random
import smtplib
import sys
import time

TIMEOUT = 60  # seconds
REST = 0.5  # seconds after the server could not be reached
PER_SESSION = 10  # letters


def main():
    order = json.load(sys.stdin)
    dice = random.Random(order["seed"])
    until = time.monotonic() + order["seconds"]
    number = 0
    with open(order["ledger"], "a", buffering=1) as ledger:
        while time.monotonic() < until:
            try:
                with smtplib.SMTP(order["host"], 25, local_hostname="desk.test", timeout=TIMEOUT) as client:
                    for _ in range(dice.randint(1, PER_SESSION)):
                        number += 1
                        write(client, order, dice, f"{order['name']}-{number}", ledger)
                        time.sleep(dice.expovariate(order["rate"]))
                        if time.monotonic() > until:
                            break
            except (OSError, smtplib.SMTPException):
                time.sleep(REST)


def write(client, order, dice, token, ledger):
    sender = f"bob@{order['name']}.test"
    others = [name for name in order["names"] if name != order["name"]]
    domains = dice.sample(others, dice.choice((1, 1, 2)))
    recipients = [f"{dice.choice(('ann', 'ann', 'ann', 'nosuch'))}@{name}.test" for name in domains]
    client.ehlo_or_helo_if_needed()
    expect(client.mail(sender))
    taken = [one for one in recipients if client.rcpt(one)[0] in (250, 251)]
    if not taken:
        client.rset()
        return
    body = "x" * 60 + "\r\n"
    lines = [f"From: <{sender}>", "To: undisclosed recipients:;", f"Subject: letter {token}", f"Message-ID: <{token}@desk.test>"]
    letter = "\r\n".join(lines) + "\r\n\r\n" + body * dice.choice((1, 20, 200, 2000))
    expect(client.data(letter.encode()))
    ledger.write(json.dumps({"token": token, "recipients": taken}) + "\n")


def expect(reply):
    if reply[0] != 250:
        raise smtplib.SMTPResponseException(*reply)


main()
