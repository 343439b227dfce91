"""Load with a ledger: who was promised what, and whether it came true."""

import hashlib
import random
import re
import threading
import time

from messages import message
from server import queue_id

MARK = re.compile(rb"\r\nX-Rig: (\S+) ([0-9a-f]{64})\r\n")


class Ledger:
    """Every token handed to the server, and those that got their 250."""

    def __init__(self, accounts, seed=1):
        self.accounts = accounts
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.sent = {}  # token -> recipients
        self.promised = {}  # token -> queue id
        self.refusals = []  # (code, text)
        self.dead = False  # the power is cut: what is heard now counts no more
        self.late = 0  # such a 250
        self.seen = {account: {} for account in accounts}  # uid -> token
        self.problems = []

    def next_message(self, size=None):
        """A new message with a token and the digest of its body in a header field."""
        with self.lock:
            token = f"t{len(self.sent):07d}"
            count = self.random.choice([1, 1, 1, len(self.accounts)])
            recipients = self.random.sample(self.accounts, count)
            size = size or self.random.choice([200, 2_000, 2_000, 20_000, 400_000])
            line = self.random.randbytes(30).hex().encode() + b"\r\n"
            self.sent[token] = recipients
        body = f"{token}\r\n".encode() + line * max(1, size // len(line))
        mark = f"X-Rig: {token} {hashlib.sha256(body).hexdigest()}\r\n".encode()
        return token, recipients, message(token, body, extra=mark)

    def promise(self, token, reply):
        """Notes the reply to end-of-data."""
        code, text = reply
        with self.lock:
            if code == 250 and self.dead:
                self.late += 1
            elif code == 250:
                self.promised[token] = queue_id(text)
            else:
                self.refusals.append(reply)

    def deliver_one(self, client, size=None):
        token, recipients, octets = self.next_message(size)
        reply = client.deliver("rig@client.example.net", recipients, octets)
        self.promise(token, reply)
        return reply

    def owed(self):
        """(account, token) pairs that were promised and have not been seen."""
        have = {(account, token) for account, seen in self.seen.items() for token in seen.values()}
        with self.lock:
            wanted = {(to, token) for token in self.promised for to in self.sent[token]}
        return wanted - have

    def look(self, server):
        """Reads what is new in the mailboxes and compares it with the ledger."""
        for account in self.accounts:
            seen = self.seen[account]
            uids = [entry["uid"] for entry in server.entries(account)]
            if len(set(uids)) != len(uids):
                self.problems.append(f"{account}: a UID twice in the list")
            gone = set(seen) - set(uids)
            if gone:
                self.problems.append(f"{account}: UIDs {sorted(gone)[:5]} were there and are gone")
            for uid in uids:
                if uid not in seen:
                    seen[uid] = self.token_of(account, uid, self.octets_of(server, account, uid))

    def octets_of(self, server, account, uid):
        done = server.run("mail", "show", account, uid)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            self.problems.append(f"{account}: UID {uid} cannot be read: {said}")
        return done.stdout

    def token_of(self, account, uid, octets):
        head, _, body = octets.partition(b"\r\n\r\n")
        mark = MARK.search(head + b"\r\n")
        if not mark:
            self.problems.append(f"{account}: UID {uid} is not one of ours")
            return f"unknown-{uid}"
        token = mark.group(1).decode()
        if hashlib.sha256(body).hexdigest() != mark.group(2).decode():
            self.problems.append(f"{account}: {token} is damaged")
        if token in self.seen[account].values():
            self.problems.append(f"{account}: {token} is there twice")
        if account not in self.sent.get(token, ()):
            self.problems.append(f"{account}: {token} was for others")
        return token

    def settle(self, server, within=60.0):
        """Waits until all that is owed has come; what has not is a problem."""
        end = time.monotonic() + within
        while True:
            self.look(server)
            owed = self.owed()
            if not owed or time.monotonic() > end:
                break
            time.sleep(0.2)
        for account, token in sorted(owed)[:10]:
            self.problems.append(f"LOST {token} ({self.promised[token]}) for {account}")
        return not self.problems

    def report(self, rig, server, what):
        """Settles, asks `audit`, and says how it stands."""
        settled = self.settle(server)
        rig.check(settled, f"{what}: {len(self.promised)} promised, each is there exactly once")
        for problem in self.problems[:20]:
            print(f"  {problem}")
        self.problems.clear()
        audit = server.run("audit")
        if not rig.check(audit.returncode == 0, f"{what}: the audit balances"):
            print((audit.stdout + audit.stderr).decode(errors="replace"))


class Senders:
    """Connections that deliver until the server goes away or enough was sent."""

    def __init__(self, server, ledger, connections=6, messages=100):
        self.server = server
        self.ledger = ledger
        self.messages = messages
        self.threads = [threading.Thread(target=self._send) for _ in range(connections)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        try:
            with self.server.smtp(timeout=20) as client:
                for _ in range(self.messages):
                    self.ledger.deliver_one(client)
        except (OSError, ValueError):
            pass  # it was killed: what was not promised is not owed

    def join(self):
        for thread in self.threads:
            thread.join()
