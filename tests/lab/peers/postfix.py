"""Postfix: virtual mailboxes as Maildirs, relay for the wire."""

from peers.peer import Peer, letters_of_maildir
from room import NETWORK

OWNER = "vmail"

MASTER = """\
smtp inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 3 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""


class Postfix(Peer):
    package = "postfix"
    programs = ("postfix", "postdrop", OWNER)

    def configure(self):
        owner = self.ids[OWNER]
        settings = {
            "compatibility_level": "3.6",
            "myhostname": self.hostname,
            "mydomain": self.domains[0],
            "myorigin": self.domains[0],
            "mydestination": "",
            "mynetworks": f"127.0.0.0/8 {NETWORK}",
            "inet_interfaces": "all",
            "inet_protocols": "all",
            "queue_directory": "/var/spool/postfix",
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "data_directory": "/var/lib/postfix",
            "virtual_mailbox_domains": " ".join(self.domains),
            "virtual_mailbox_base": "/var/mail/people",
            "virtual_mailbox_maps": "texthash:/etc/postfix/people",
            "virtual_uid_maps": f"static:{owner}",
            "virtual_gid_maps": f"static:{owner}",
            "virtual_minimum_uid": "100",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "minimal_backoff_time": "3s",
            "maximal_backoff_time": "6s",
            "queue_run_delay": "3s",
            "smtp_connect_timeout": "5s",
            "smtp_helo_timeout": "5s",
            # A wrong answer at the end of a session must not hide behind a kept connection.
            "smtp_connection_cache_on_demand": "no",
        }
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        self.write("postfix/main.cf", text)
        self.write("postfix/master.cf", MASTER)
        people = [f"{who}@{domain} {who}/" for domain in self.domains for who in self.people]
        self.write("postfix/people", "\n".join(people) + "\n")

    def launch(self):
        self.room.run("install", "-d", "-o", OWNER, "-g", OWNER, "/var/mail/people")
        self.room.run("install", "-d", "-o", "postfix", "/var/lib/postfix")
        self.room.run("postfix", "start")

    def kick(self):
        self.room.run("postqueue", "-f", check=False)

    def waiting(self):
        return b"Mail queue is empty" not in self.room.run("postqueue", "-p")

    def letters(self, local):
        return letters_of_maildir(self.var / "mail" / "people" / local)

    def version(self):
        said = self.room.run("postconf", "-h", "mail_version").decode()
        return f"Postfix {said.strip()}"
