"""What goes wrong while a soak lasts: one thing after the other, each for a while, all of it by chance."""

import os
import shutil
import signal
import time
from pathlib import Path

PAUSE = (1.0, 8.0)  # seconds between two faults
LASTS = (1.0, 15.0)  # seconds
FILLED = "filler"  # the file that takes the room on the disk


class Faults:
    """`steady` is never killed and its disk never fills up: its memory is looked at. `shaken` is."""

    def __init__(self, stage, steady, shaken, dice):
        self.stage, self.steady, self.shaken, self.dice = stage, steady, shaken, dice
        self.done = {}

    def next(self):
        """One fault, from its beginning to its end."""
        time.sleep(self.dice.uniform(*PAUSE))
        fault = self.dice.choice((self.killed, self.killed, self.cut_off, self.frozen, self.no_names, self.disk_full))
        self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1
        fault(self.dice.uniform(*LASTS))

    def killed(self, lasts):
        """kill -9, and started again on what is on its disk."""
        for pid in self.shaken.pids():
            os.kill(pid, signal.SIGKILL)
        time.sleep(lasts / 5)
        self.shaken.serve()
        self.shaken.wait()

    def cut_off(self, lasts):
        """The cable of some host is pulled: connections hang, new ones find nobody."""
        peer = self.dice.choice(list(self.stage.peers.values()))
        peer.room.run("ip", "link", "set", "eth0", "down")
        time.sleep(lasts)
        peer.room.run("ip", "link", "set", "eth0", "up")
        peer.room.run("ip", "address", "replace", f"{peer.room.address_6}/64", "dev", "eth0", "nodad", check=False)

    def frozen(self, lasts):
        """A foreign mailer accepts connections, as the kernel does, and says nothing."""
        peer = self.dice.choice([peer for peer in self.stage.peers.values() if not hasattr(peer, "pids")])
        still(peer.room.pid, lasts)

    def no_names(self, lasts):
        """The name server is silent."""
        still(self.stage.names.room.pid, lasts)

    def disk_full(self, lasts):
        """Something else takes all the room there is."""
        folder = self.shaken.inside()
        free = shutil.disk_usage(folder).free
        with open(folder / FILLED, "wb") as filler:
            try:
                os.posix_fallocate(filler.fileno(), 0, max(1, free - 4096))
            except OSError:
                pass  # others were quicker: it is full anyhow
        time.sleep(lasts)
        (folder / FILLED).unlink()


def members(first):
    """The processes of a room but its first one."""
    space = os.readlink(f"/proc/{first}/ns/pid")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns" / "pid") == space:
                found.append(int(entry.name))
        except OSError:
            pass  # it has ended
    return [pid for pid in found if pid != first]


def still(first, lasts):
    """Stops all processes of a room for a while, and with them `nsenter`, which does as its child does."""
    pids = members(first)
    parents = {parent for pid in pids for parent in parent_of(pid)} - set(pids) - {0}
    for pid in pids:
        send(pid, signal.SIGSTOP)
    time.sleep(lasts)
    for pid in [*pids, *parents]:
        send(pid, signal.SIGCONT)


def parent_of(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    return [int(status.partition("PPid:")[2].split()[0])]


def send(pid, what):
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        pass
