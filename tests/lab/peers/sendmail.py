"""Sendmail: sendmail.cf made by its own m4 files, real users of the room, mailboxes as mbox."""

from peers.peer import Peer, letters_of_mbox
from room import NETWORK

PROGRAM = "/usr/libexec/sendmail/sendmail"

MACROS = """\
divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`confLOG_LEVEL', `14')dnl
define(`LOCAL_MAILER_PATH', `/usr/libexec/sendmail/mail.local')dnl
define(`LOCAL_MAILER_ARGS', `mail.local -d $u')dnl
define(`LOCAL_MAILER_FLAGS', `PSrmn9')dnl
define(`confTO_ICONNECT', `5s')dnl
define(`confTO_CONNECT', `5s')dnl
define(`confTO_INITIAL', `5s')dnl
define(`confTO_IDENT', `0s')dnl
define(`confTO_HOSTSTATUS', `0s')dnl
define(`confHOST_STATUS_DIRECTORY', `')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confDEF_USER_ID', `mail:mail')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
FEATURE(`use_cw_file')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`relay_entire_domain')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=smtp, Addr=0.0.0.0')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class Sendmail(Peer):
    package = "sendmail"
    programs = ("smmta", "smmsp")

    def configure(self):
        self.write("mail/sendmail.mc", MACROS.format(hostname=self.hostname))
        self.write("mail/local-host-names", "\n".join(self.domains) + "\n")
        # An octet boundary is all it knows: the first two octets of NETWORK.
        self.write("mail/relay-domains", ".".join(NETWORK.split(".")[:2]) + "\n127\n")
        self.write("mail/aliases", "postmaster: root\nMAILER-DAEMON: postmaster\n")
        self.write("mail/trusted-users", "")

    def launch(self):
        make = "cd /etc/mail && m4 /usr/share/sendmail/cf/m4/cf.m4 sendmail.mc > sendmail.cf"
        self.room.run("sh", "-c", make)
        self.room.run("install", "-d", "-m", "700", "/var/spool/mqueue")
        self.room.run("install", "-d", "-m", "1777", "/var/mail")
        self.room.run(PROGRAM, "-bi")
        self.room.start(PROGRAM, "-bD", "-q3s", "-C/etc/mail/sendmail.cf")

    def kick(self):
        self.room.run(PROGRAM, "-q", check=False)

    def waiting(self):
        return b"Total requests: 0" not in self.room.run(PROGRAM, "-bp")

    def letters(self, local):
        return letters_of_mbox(self.var / "mail" / local)

    def version(self):
        said = self.room.run(PROGRAM, "-d0.1", "-bt", stdin=b"/quit\n", check=False).decode()
        return f"Sendmail {said.split()[1]}"
