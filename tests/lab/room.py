"""Rooms: one namespace each for mounts, network, processes and the host's name, on one wire.

Nothing of the machine is touched: the bridge lies in a namespace of its own, and the namespaces have
no name, so each is gone with its last process. The first process of a room ends all others with it.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

NETWORK = "10.77.0.0/16"
NETWORK_6 = "fd77::/64"
READY_MAX = 20.0  # seconds until a room stands
INIT = Path(__file__).parent / "room_init.py"
PR_SET_PDEATHSIG = 1
KINDS = ("--mount", "--net", "--pid", "--uts", "--ipc")
LISTEN = "0A"  # the state in /proc/net/tcp


class Room:
    """One machine of the lab: its processes see only the wire and their own /etc, /var and /run."""

    def __init__(self, folder, hostname, prefix=None):
        self.folder = Path(folder)
        self.hostname = hostname
        self.prefix = prefix
        self.address = self.address_6 = None
        for name in ("etc", "var", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.process = self.pid = None

    def open(self):
        """Starts the first process; what `etc` and `var` hold by now is what the room sees."""
        spec = {
            "folder": str(self.folder),
            "hostname": self.hostname,
            "prefix": str(self.prefix) if self.prefix else None,
        }
        with open(self.folder / "room.log", "ab") as log:
            self.process = subprocess.Popen(
                ["unshare", *KINDS, "--fork", "--kill-child", sys.executable, "-B", INIT, json.dumps(spec)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the lab alone, which then closes its rooms
                preexec_fn=die_with_parent,
            )
        end = time.monotonic() + READY_MAX
        while not (self.folder / "ready").exists():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"room {self.hostname} does not stand:\n{self.tail('room.log')}")
            time.sleep(0.02)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = int(children.read_text().split()[0])

    def command(self, *arguments):
        enter = ["nsenter", "-t", str(self.pid), "--mount", "--net", "--pid", "--uts", "--ipc", "--wd=/"]
        return [*enter, "--", *map(str, arguments)]

    def run(self, *arguments, stdin=b"", timeout=60, check=True):
        """A command inside, to its end; answers its output."""
        return run(self.command(*arguments), stdin, timeout, check)

    def start(self, *arguments, log="server.log"):
        """A command inside that goes on running until the room is closed."""
        with open(self.folder / log, "ab") as output:
            return subprocess.Popen(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=ENVIRONMENT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def listens(self, port=25):
        """Whether some process inside listens there."""
        for table in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    return True
        return False

    def tail(self, name, lines=12):
        path = self.folder / name
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def close(self):
        """Ends the first process by its id; the kernel ends the others and takes the network away."""
        if self.process is None:
            return
        if self.process.poll() is None:
            os.kill(self.pid or self.process.pid, signal.SIGKILL)
            self.process.wait(20)
        self.process = self.pid = None


class Wire:
    """The bridge to which every room is plugged."""

    def __init__(self, folder):
        self.hub = Room(Path(folder) / "wire", "wire")
        self.hub.open()
        self.hub.run("ip", "link", "add", "hub", "type", "bridge")
        self.hub.run("ip", "link", "set", "hub", "up")

    def plug(self, room, number):
        """Gives the room the addresses 10.77.0.NUMBER and fd77::NUMBER."""
        port = f"port{number}"
        # Only the network is entered: the room's number is one of the machine's, not the hub's.
        pair = f"ip link add {port} type veth peer name eth0 netns {room.pid}"
        run(["nsenter", "-t", str(self.hub.pid), "--net", *pair.split()])
        self.hub.run("ip", "link", "set", port, "master", "hub", "up")
        room.address, room.address_6 = addresses(number)
        room.run("ip", "link", "set", "lo", "up")
        room.run("ip", "link", "set", "eth0", "up")
        room.run("ip", "address", "add", f"{room.address}/16", "dev", "eth0")
        if Path("/proc/sys/net/ipv6").exists():
            room.run("ip", "address", "add", f"{room.address_6}/64", "dev", "eth0", "nodad")

    def close(self):
        self.hub.close()


def run(command, stdin=b"", timeout=60, check=True):
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, env=ENVIRONMENT)
    if check and done.returncode != 0:
        said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {said}")
    return done.stdout


def addresses(number):
    return f"10.77.0.{number}", f"fd77::{number}"


def die_with_parent():
    """The kernel ends this process when the lab is gone, however it went."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C", "TZ": "UTC"}
