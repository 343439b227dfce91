"""What all mailers of the lab have in common: a room, a name, people, mailboxes."""

import json
import mailbox
import sys
import time
from pathlib import Path

from people import write_network, write_people
from room import Room

START_MAX = 40.0  # seconds until port 25 is open
SUBMIT = Path(__file__).parent.parent / "submit.py"


class Peer:
    """One host with one mailer. A subclass writes its config, starts it, and knows its files."""

    package = None  # the folder under target/lab/peers; None means nothing is laid over the machine
    programs = ()  # the users that its programs run as

    class_only = False  # its reports say 5.0.0 whatever the reason was
    report_type = "multipart/report"  # RFC 3462 §2

    def __init__(self, context, host):
        self.context = context
        self.name = host.name
        self.hostname = host.hostname
        self.domains = host.domains
        self.people = host.people
        prefix = context.peers / self.package if self.package else None
        self.room = Room(context.folder / host.name, host.hostname, prefix)
        self.etc = self.room.folder / "etc"
        self.var = self.room.folder / "var"
        self.ids = write_people(self.etc, self.programs, host.people)
        write_network(self.etc, host.hostname, context.name_server)
        self.number = host.number
        self._read = {}

    def open(self, wire):
        self.configure()
        self.room.open()
        wire.plug(self.room, self.number)
        self.launch()

    def wait(self):
        end = time.monotonic() + START_MAX
        while not self.room.listens(25):
            if time.monotonic() > end:
                logs = self.room.tail("server.log") + "\n" + self.room.tail("syslog")
                raise RuntimeError(f"{self.name}: nothing listens on port 25:\n{logs}")
            time.sleep(0.1)

    def write(self, path, text):
        """A file below the room's /etc."""
        file = self.etc / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def submit(self, sender, recipients, message):
        """Puts one mail in by SMTP from inside the room; answers what each recipient was told."""
        order = {"host": self.room.address, "sender": sender, "recipients": recipients}
        order["message"] = message.decode("latin-1")
        said = self.room.run(sys.executable, "-B", SUBMIT, stdin=json.dumps(order).encode())
        return json.loads(said)

    def read(self, local):
        """The messages in a mailbox as they were since the last `forget`."""
        if local not in self._read:
            self._read[local] = list(self.letters(local))
        return self._read[local]

    def forget(self):
        """A new round of looking begins."""
        self._read = {}

    def close(self):
        self.room.close()

    # --- what a subclass says ---

    def configure(self):
        """Writes the config, before the room opens."""

    def launch(self):
        """Starts the mailer, inside the room."""

    def kick(self):
        """Asks the mailer to try again now what waits, as its own retry times are for days."""

    def waiting(self):
        """Whether something is in its queue."""
        raise NotImplementedError

    def letters(self, local):
        """The messages in a mailbox, as octets."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError


def letters_of_maildir(path):
    """Read as files: Python's Maildir class would move and clean them."""
    found = []
    for part in ("new", "cur"):
        folder = path / part
        if folder.is_dir():
            found += [file.read_bytes() for file in sorted(folder.iterdir())]
    return found


def letters_of_mbox(path):
    if not path.exists():
        return []
    box = mailbox.mbox(path, create=False)
    try:
        return [box.get_bytes(key) for key in box.keys()]
    finally:
        box.close()
