"""OpenSMTPD: real users of the room, mailboxes as Maildirs, relay for the wire."""

from peers.peer import Peer, letters_of_maildir
from room import NETWORK

CONFIG = """\
listen on 0.0.0.0 hostname {hostname}
listen on :: hostname {hostname}
smtp max-message-size 50M
action "people" maildir "/var/mail/people/%{{user.username}}"
action "outside" relay helo {hostname}
match from any for domain {{ {domains} }} action "people"
match from src {{ 127.0.0.0/8, {network} }} for any action "outside"
"""


class OpenSmtpd(Peer):
    package = "opensmtpd"
    programs = ("opensmtpd", "opensmtpq")
    class_only = True
    report_type = "multipart/mixed"

    def configure(self):
        domains = ", ".join(f'"{domain}"' for domain in self.domains)
        text = CONFIG.format(hostname=self.hostname, domains=domains, network=NETWORK)
        self.write("smtpd.conf", text).chmod(0o640)

    def launch(self):
        for person in self.people:
            self.room.run("install", "-d", "-o", person, f"/var/home/{person}", f"/var/mail/people/{person}")
        self.room.run("install", "-d", "-m", "711", "/var/spool/smtpd", "/run/opensmtpd", "/var/lib/opensmtpd/empty")
        # smtpctl refuses to work without it; the package's own script would set it.
        self.room.run("chgrp", "opensmtpq", "/usr/sbin/smtpctl")
        self.room.run("chmod", "g+s", "/usr/sbin/smtpctl")
        self.room.start("smtpd", "-d", "-F")

    def kick(self):
        # After an error a host is avoided for minutes; schedule alone would wait that long.
        self.room.run("smtpctl", "schedule", "all", check=False)
        for line in self.room.run("smtpctl", "show", "routes", check=False).decode().splitlines():
            self.room.run("smtpctl", "resume", "route", line.split(".")[0], check=False)

    def waiting(self):
        return bool(self.room.run("smtpctl", "show", "queue").strip())

    def letters(self, local):
        return letters_of_maildir(self.var / "mail" / "people" / local)

    def version(self):
        said = self.room.run("sh", "-c", "smtpd -h 2>&1 || true").decode()
        return said.split("\n")[0].removeprefix("version: ")
