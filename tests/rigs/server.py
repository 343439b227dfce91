"""The server under test: config, start, stop, kill, and its command line."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import time

from smtp import Smtp

DOMAIN = "example.test"
START_MAX = 20.0  # seconds until the greeting
PAGE = 1000  # rows that one command prints


class Server:
    """One data folder, one config file, one port; started as often as the rig likes."""

    def __init__(self, binary, folder, data=None, **settings):
        self.binary = binary
        self.folder = folder
        self.data = data or folder / "data"
        self.port = free_port()
        self.config = folder / "postrider.toml"
        self.log = folder / "server.log"
        self.process = None
        self.wrapped = False
        self.settings = {
            "hostname": f"mx.{DOMAIN}",
            "data": str(self.data),
            "domains": [DOMAIN],
            "listen": [f"127.0.0.1:{self.port}"],
        }
        if os.geteuid() == 0:
            self.settings["user"] = "root"
        self.settings.update(settings)
        self.write_config()

    def write_config(self):
        """Plain values look the same in TOML and JSON; a dict becomes a table at the end."""
        plain = {key: value for key, value in self.settings.items() if not isinstance(value, dict)}
        lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
        for key, table in self.settings.items():
            if isinstance(table, dict):
                lines.append(f"[{key}]")
                lines += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in table.items()]
        self.config.write_text("\n".join(lines) + "\n")

    # --- start and stop ---

    def start(self, wrapper=(), command=None, files_max=None):
        """Starts and waits for the greeting; answers the seconds that took."""
        command = command or [str(self.binary), "serve", "--config", str(self.config)]
        self.wrapped = bool(wrapper)
        begin = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*map(str, wrapper), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own, so that kill reaches all of it
                preexec_fn=(lambda: raise_files(files_max)) if files_max else None,
            )
        while time.monotonic() - begin < START_MAX:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.log_tail()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=START_MAX) as probe:
                    if probe.recv(3) == b"220":
                        return time.monotonic() - begin
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"no greeting within {START_MAX:.0f} s:\n{self.log_tail()}")

    def stop(self, within=20.0):
        """SIGTERM, as an operator does; answers the exit code."""
        if self.process is None:
            return None
        # A wrapper keeps the signal for itself, and ends with what it runs.
        os.kill(self.tree()[0], signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"did not stop within {within:.0f} s of SIGTERM") from None
        finally:
            self.process = None

    def kill(self):
        """SIGKILL to the whole group at once: no chance to tidy up."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process = None

    def log_tail(self, lines=15):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # --- looking at it ---

    def tree(self):
        """The ids of the server's processes, without the wrapper it may run in."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children_of(pid)
        return found[1:] if self.wrapped else found

    def rss(self):
        """Resident memory of all its processes, in KiB."""
        return sum(status_kib(pid, "VmRSS") for pid in self.tree())

    def peak(self):
        """The most resident memory that its processes have had since they started, in KiB."""
        return sum(status_kib(pid, "VmHWM") for pid in self.tree())

    # --- talking to it ---

    def smtp(self, **options):
        return Smtp(self.port, **options)

    def run(self, *arguments, stdin=None, timeout=120):
        """One command of the binary; the result has bytes in stdout and stderr."""
        return subprocess.run(
            [str(self.binary), *map(str, arguments), "--config", str(self.config)],
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
        )

    def must(self, *arguments, **options):
        """The same for a command that has to work; answers what it prints."""
        done = self.run(*arguments, **options)
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise RuntimeError(f"postrider {' '.join(map(str, arguments))}: {done.returncode}: {said}")
        return done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.must(*arguments, "--json", **options))

    def add_account(self, local, password="correct horse battery"):
        address = f"{local}@{DOMAIN}"
        self.must("account", "add", address, stdin=f"{password}\n".encode())
        return address

    def entries(self, account):
        """What `mail list` says of an account, oldest first, all pages of it."""
        entries, after = [], 0
        while after is not None:
            page = self.json("mail", "list", account, "--after", after, "--limit", PAGE)
            entries += page["messages"]
            after = page["next"]
        return entries

    def show(self, account, uid):
        """The raw message."""
        return self.must("mail", "show", account, uid, timeout=600)


def queue_id(reply_text):
    """The id in `250 2.0.0 … queued as ID`."""
    found = re.search(r"queued as (\S+)", reply_text, re.IGNORECASE)
    return found.group(1).rstrip(".") if found else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_files(wanted):
    """Lets this process open that many files, as far as it may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = wanted if os.geteuid() == 0 else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), max(wanted, hard)))


def children_of(pid):
    children = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children += [int(child) for child in file.read().split()]
    except OSError:
        pass  # it has ended meanwhile
    return children


def status_kib(pid, field):
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
    except OSError:
        pass  # it has ended meanwhile
    return 0
