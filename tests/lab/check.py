"""What became of a mail: delivered once and unchanged, returned with a report, or still waiting."""

import email
import email.policy
import time

PAUSE = 0.5  # seconds between two looks
KICK = 4.0  # seconds between two orders to try again
SETTLE = 2.0  # seconds of watching for a second copy, or a report that nobody is owed
# A mail that must wait is watched this long: a hasty sender would have returned it by then.
DEFERRED_WATCH = 12.0
BODY = "The first line.\r\n.a line that begins with a dot\r\n..two\r\n\r\nThe last line.\r\n"


def write_letter(mail, token):
    lines = [
        f"From: <{mail.from_address}>",
        "To: undisclosed recipients:;",
        f"Subject: letter {token}",
        f"Message-ID: <{token}@{mail.sender.domains[0]}>",
        "Date: Mon, 23 Nov 2026 12:00:00 +0000",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + BODY).encode()


class Watch:
    """One mail that was put in. `done` is None while the answer is open, else a reason or ""."""

    def __init__(self, mail, token, said, peers):
        self.mail, self.token, self.said, self.peers = mail, token, said, peers
        self.begin = time.monotonic()
        self.seconds = None
        self.done = None
        self.missing = "nothing looked at yet"
        self.fine_since = None
        refused = [f"{who}: {reply}" for who, reply in said.items() if reply[0] != "2" and who not in mail.bounced]
        if refused:
            self.end(f"the sending host refused it: {'; '.join(refused)}")

    def look(self):
        wrong, self.missing = self._state()
        age = time.monotonic() - self.begin
        if wrong:
            self.end(wrong)
        elif not self.missing:
            self.fine_since = self.fine_since or time.monotonic()
            watched = time.monotonic() - self.fine_since
            if watched > (DEFERRED_WATCH if self.mail.deferred else SETTLE):
                self.end("")
                self.seconds -= watched
        elif age > self.mail.within:
            self.end(f"after {age:.0f} s: {self.missing}")

    def end(self, reason):
        self.done = reason
        self.seconds = time.monotonic() - self.begin

    def _state(self):
        """What is wrong for good, and what is only missing yet."""
        missing = ""
        for address, host in self.mail.delivered.items():
            found = self._copies(host, address.split("@")[0])
            if len(found) > 1:
                return f"{len(found)} copies for {address} at {host}", ""
            if not found:
                missing = f"nothing for {address} at {host}"
            elif body_of(found[0]) != BODY.split("\r\n"):
                return f"{address} got a changed body: {body_of(found[0])}", ""
        reports = self._reports()
        for address, status in self.mail.bounced.items():
            # RFC 5321 §3.6.2: a host that knows at once may refuse, and then no report is owed.
            if self.said.get(address, "2")[0] == "5":
                continue
            told = reports.get(address)
            if told is None:
                missing = f"no report for {address}"
            elif not told.startswith(status[:1] if self._sender.class_only else status):
                return f"the report for {address} says {told}, not {status}", ""
        strangers = sorted(set(reports) - set(self.mail.bounced))
        if strangers:
            return f"returned: {', '.join(f'{who} {reports[who]}' for who in strangers)}", ""
        if self.mail.deferred and not self._sender.waiting():
            return "its sender has it no longer in its queue", ""
        return "", missing

    @property
    def _sender(self):
        return self.peers[self.mail.sender.name]

    def _copies(self, host, local):
        """Letters, not the reports about them."""
        return [letter for letter in self.peers[host].read(local) if self._is_letter(letter)]

    def _is_letter(self, letter):
        return f"Subject: letter {self.token}".encode() in head_of(letter)

    def _reports(self):
        """Recipient → status, from every failure report about this mail in the sender's mailbox."""
        found = {}
        for letter in self._sender.read(self.mail.from_address.split("@")[0]):
            if self.token.encode() in letter and not self._is_letter(letter):
                found.update(statuses(letter, self._sender.report_type))
        return found


def head_of(letter):
    return letter.replace(b"\r\n", b"\n").partition(b"\n\n")[0]


def body_of(letter):
    """Its lines. One empty line more at the end is the mbox format's own."""
    body = letter.replace(b"\r\n", b"\n").partition(b"\n\n")[2].decode("latin-1")
    return (body.rstrip("\n") + "\n").split("\n")


def statuses(letter, wanted_type):
    """Final recipient → status of the failures in a report. RFC 3464 §2.1, §2.3"""
    report = email.message_from_bytes(letter, policy=email.policy.compat32)
    found = {}
    if report.get_content_type() != wanted_type:
        return {f"{report.get_content_type()} instead of {wanted_type}": report.get("Subject")}
    for part in report.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        for fields in part.get_payload():
            if fields.get("Action", "").split("(")[0].strip().lower() == "failed":
                who = fields.get("Original-Recipient") or fields.get("Final-Recipient", ";")
                address = who.split(";", 1)[-1].strip().strip("<>").lower()
                found[address] = fields.get("Status", "").strip()
    return found
