"""One scenario on its wire: hosts up, mails in, a look at everything until all is decided."""

import json
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import check
import names
import peers
from people import write_network, write_people
from peers.peer import START_MAX
from room import Room, Wire
from scenario import ABSENT, SCRIPTED

SCRIPT = Path(__file__).parent / "scripted.py"


@dataclass
class Context:
    """What a peer needs to know of the lab."""

    binary: Path
    peers: Path  # the folder with the unpacked packages
    folder: Path  # of this scenario
    name_server: str = names.ADDRESS


class Stage:
    """Everything that stands for one scenario; `close` leaves nothing."""

    def __init__(self, context, scenario):
        self.context, self.scenario = context, scenario
        self.closing = []
        self.peers = {}

    def open(self):
        wire = self._keep(Wire(self.context.folder))
        records, broken = self.scenario.records(), self.scenario.broken
        prefix = self.context.peers / "nsd"
        self.names = self._keep(names.NameServer(wire, self.context.folder / "ns", prefix, records, broken))
        for host in self.scenario.hosts.values():
            if host.is_mailer:
                peer = self.peers[host.name] = self._keep(peers.PROGRAMS[host.program](self.context, host))
                peer.open(wire)
            elif host.program != ABSENT:
                self._keep(dummy(self.context, wire, host))
        for peer in self.peers.values():
            peer.wait()

    def play(self, report):
        """Puts all mails in, then looks until each is decided; `report` gets each watch."""
        open_watches = [self._put_in(mail) for mail in self.scenario.mails]
        kicked = time.monotonic()
        while open_watches:
            for peer in self.peers.values():
                peer.forget()
            for watch in [watch for watch in open_watches if watch.done is None]:
                watch.look()
            for watch in [watch for watch in open_watches if watch.done is not None]:
                open_watches.remove(watch)
                report(watch)
            if open_watches and time.monotonic() - kicked > check.KICK:
                for name in {watch.mail.sender.name for watch in open_watches}:
                    self.peers[name].kick()
                kicked = time.monotonic()
            time.sleep(check.PAUSE if open_watches else 0)

    def close(self):
        for thing in reversed(self.closing):
            try:
                thing.close()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"note: while closing: {error}", flush=True)
        self.closing = []

    def _put_in(self, mail):
        token = uuid.uuid4().hex
        peer = self.peers[mail.sender.name]
        try:
            letter = check.write_letter(mail, token)
            said = peer.submit(mail.from_address, mail.recipients, letter)
        except (RuntimeError, subprocess.SubprocessError) as error:
            watch = check.Watch(mail, token, {}, self.peers)
            watch.end(f"could not be put in: {str(error).splitlines()[-1]}")
            return watch
        return check.Watch(mail, token, said, self.peers)

    def _keep(self, thing):
        self.closing.append(thing)
        return thing


def dummy(context, wire, host):
    """A machine without a mailer: port 25 closed, or a script behind it."""
    room = Room(context.folder / host.name, host.hostname)
    write_people(room.folder / "etc", ())
    write_network(room.folder / "etc", host.hostname, context.name_server)
    room.open()
    wire.plug(room, host.number)
    if host.program == SCRIPTED:
        room.start(sys.executable, "-B", SCRIPT, json.dumps(host.says))
        end = time.monotonic() + START_MAX
        while not room.listens(25):
            if time.monotonic() > end:
                raise RuntimeError(f"{host.name}: {room.tail('server.log')}")
            time.sleep(0.05)
    return room
