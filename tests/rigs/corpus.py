"""Real messages, well-formed and badly broken: each comes back octet for octet.

Line ends are made CRLF first, as a sending program does. What SMTP cannot carry (a bare CR, a NUL)
has to be refused with 550, and nothing of it may be delivered.
"""

import os
import re
from pathlib import Path

from rig import CannotRun, main, wait_until
from messages import came_back
from server import queue_id

NOT_MESSAGES = {".json", ".xml", ".out", ".bin", ".sql", ".p12", ".env", ".db", ".mab", ".dat", ".png"}
NOT_NAMES = {"COPYING", "README", "SOURCE.txt", "LICENSE"}
PER_CONNECTION = 50


def body(rig):
    messages = list(corpus())
    if not messages:
        raise CannotRun("no corpus; set POSTRIDER_TEST_DATA to the folder that has it")
    server = rig.server(message_size_max="50 MiB")
    server.start()
    alice = server.add_account("alice")
    accepted = send_all(rig, server, alice, messages)
    wait_until(lambda: len(server.entries(alice)) >= len(accepted), within=60)
    compare(rig, server, alice, accepted)
    rig.check(server.run("audit").returncode == 0, "the audit balances")
    rig.cases(len(messages))


def corpus():
    """(name, octets) of each message."""
    folder = Path(os.environ.get("POSTRIDER_TEST_DATA", "../shared/data"))
    for path in sorted(folder.glob("mime-*/**/*")):
        if not path.is_file() or path.suffix in NOT_MESSAGES or path.name in NOT_NAMES:
            continue
        yield str(path.relative_to(folder)), crlf(path.read_bytes())


def crlf(octets):
    return re.sub(rb"\r?\n", b"\r\n", octets)


def carriable(octets):
    """RFC 5321 §2.3.8 and §4.5.2: no NUL, no CR without LF."""
    return b"\0" not in octets and not re.search(rb"\r(?!\n)", octets)


def send_all(rig, server, to, messages):
    accepted, refused, wrong = {}, 0, []
    client = None
    for number, (name, octets) in enumerate(messages):
        if number % PER_CONNECTION == 0:
            if client:
                client.quit()
            client = server.smtp()
        try:
            code, text = client.deliver("corpus@client.example.net", [to], octets)
        except ConnectionError as error:
            code, text = 0, f"connection lost: {error}"
        if code not in (250, 550):
            client.close()
            client = server.smtp()
        if code == 250 and carriable(octets):
            accepted[queue_id(text)] = (name, octets)
        elif code == 550 and not carriable(octets):
            refused += 1
        else:
            wrong.append(f"{name}: {code} {text}")
    client.close()
    rig.check(not wrong, f"{len(accepted)} accepted, {refused} with NUL or bare CR refused by 550")
    for line in wrong[:20]:
        print(f"  {line}")
    return accepted


def compare(rig, server, account, accepted):
    differing, seen = [], 0
    entries = server.entries(account)
    rig.check(len(entries) == len(accepted), f"{len(entries)} in the mailbox of {len(accepted)}")
    ids = {id_of(entry): entry["uid"] for entry in entries}
    for item, (name, octets) in accepted.items():
        if item not in ids:
            differing.append(f"{name}: {item} is not in the mailbox")
            continue
        differs = came_back(server.show(account, ids[item]), octets)
        seen += 1
        if differs:
            differing.append(f"{name}: {differs}")
    rig.check(not differing, f"{seen} came back octet for octet")
    for line in differing[:20]:
        print(f"  {line}")


def id_of(entry):
    """The queue id of a mailbox entry."""
    return entry["id"]


if __name__ == "__main__":
    main(body)
