"""Mixed traffic between Postrider and foreign mailers for as long as one likes, with faults all the time.

At the end every letter that was promised has arrived, or its sender has a report; the audits balance; and
the memory and the descriptors of a Postrider that was never restarted are where they were.
"""

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import lab
import peers
from check import statuses
from faults import Faults, members
from peers.postrider import CONFIG, Postrider
from room import ENVIRONMENT, run
from scenario import Scenario
from stage import Context, Stage

HERE = Path(__file__).parent
NAMES = ("postrider", "postrider2", "postfix", "exim", "opensmtpd", "sendmail")
DRAIN_MAX = 600.0  # seconds until all queues are empty, behind the last fault
KICK = 10.0  # seconds between two orders to try again
SAMPLE = 2.0  # seconds between two looks at memory and descriptors
DISK = "768m"  # what the shaken one has
WARM_UP = 0.2  # of the time: what caches and pools grow to
MEMORY_SLACK = 1.15  # the last quarter to the one behind the warm-up
MEMORY_SLACK_KIB = 8 * 1024
DESCRIPTORS_SLACK = 20


class Soaked(Postrider):
    """A Postrider that can be killed, on a disk that can be full."""

    def launch(self):
        if self.name == "postrider2":
            (self.room.folder / "data").mkdir(mode=0o700)
            self.room.run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", self.room.folder / "data")
        for person in self.people:
            self._ask("account", "add", f"{person}@{self.domains[0]}", stdin=b"correct horse battery\n")
        self.serve()

    def serve(self):
        self.room.start(self.context.binary, "serve", "--config", CONFIG)

    def pids(self):
        """Of the server's processes; a command that an operator has just given is none of them."""
        return [pid for pid in members(self.room.pid) if b"serve" in arguments_of(pid)]

    def inside(self):
        """Its data folder as seen from here."""
        return Path(f"/proc/{self.room.pid}/root{self.room.folder}/data")

    def ask(self, *arguments):
        return json.loads(self._ask(*arguments, "--json"))

    def judged(self, *arguments):
        """The same of a command that may say no."""
        command = self.context.binary, *arguments, "--json", "--config", CONFIG
        return json.loads(self.room.run(*command, check=False))

    def waiting(self):
        return self.ask("status")["open"] > 0

    def letters(self, local):
        account, after = f"{local}@{self.domains[0]}", 0
        while True:
            page = self.ask("mail", "list", account, "--after", str(after), "--limit", "1000")["messages"]
            for row in page:
                yield self._ask("mail", "show", account, str(row["uid"]))
            if not page:
                return
            after = page[-1]["uid"]


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


class Watch(threading.Thread):
    """Memory (KiB) and descriptors of a server while it works."""

    def __init__(self, peer):
        super().__init__(daemon=True)
        self.pid = peer.pids()[-1]
        self.memory, self.descriptors = [], []

    def run(self):
        while True:
            try:
                status = Path(f"/proc/{self.pid}/status").read_text()
                self.descriptors.append(len(list(Path(f"/proc/{self.pid}/fd").iterdir())))
            except OSError:
                return
            self.memory.append(int(status.partition("VmRSS:")[2].split()[0]))
            time.sleep(SAMPLE)


class Soak:
    def __init__(self, arguments):
        self.arguments = arguments
        self.folder = Path(tempfile.mkdtemp(prefix="postrider-soak-"))
        self.folder.chmod(0o755)
        self.failures = 0
        peers.PROGRAMS.update(postrider=Soaked, postrider2=Soaked)
        context = Context(arguments.binary.resolve(), arguments.peers.resolve(), self.folder)
        self.stage = Stage(context, Scenario(HERE / "scenarios" / "01-pairs.toml"))

    def check(self, held, what):
        print(f"{'ok' if held else 'FAIL'}: {what}", flush=True)
        self.failures += not held

    def play(self):
        self.stage.open()
        self.hosts = self.stage.peers
        self.steady, self.shaken = self.hosts["postrider"], self.hosts["postrider2"]
        watch = Watch(self.steady)
        watch.start()
        writers = [self._write(number, name) for number, name in enumerate(NAMES)]
        faults = Faults(self.stage, self.steady, self.shaken, random.Random(self.arguments.seed))
        until = time.monotonic() + self.arguments.seconds
        while time.monotonic() < until:
            faults.next()
            self._kick()
        print(f"note: faults {faults.done}", flush=True)
        for writer in writers:
            writer.wait(120)
        self._drain()
        self._judge()
        self._steadiness(watch)

    def _write(self, number, name):
        room = self.hosts[name].room
        order = {
            "name": name,
            "names": NAMES,
            "host": room.address,
            "seconds": self.arguments.seconds,
            "rate": self.arguments.rate,
            "seed": self.arguments.seed * 100 + number,
            "ledger": str(self._ledger(name)),
        }
        file = self.folder / f"{name}.order"
        file.write_text(json.dumps(order))
        with open(file) as stdin, open(room.folder / "traffic.log", "ab") as log:
            command = room.command(sys.executable, "-B", HERE / "traffic.py")
            return subprocess.Popen(command, stdin=stdin, stdout=log, stderr=log, env=ENVIRONMENT)

    def _ledger(self, name):
        return self.folder / f"{name}.ledger"

    def _kick(self):
        for name in NAMES[2:]:
            self.hosts[name].kick()

    def _drain(self):
        for peer in (self.steady, self.shaken):
            peer._ask("queue", "flush")
        end = time.monotonic() + DRAIN_MAX
        waiting = list(NAMES)
        while waiting and time.monotonic() < end:
            self._kick()
            time.sleep(KICK)
            waiting = [name for name in waiting if self.hosts[name].waiting()]
        self.check(not waiting, f"all queues are empty (not so: {waiting})")

    def _judge(self):
        """Every promise has its copies, or its report."""
        copies, reports = {}, {}
        for name, peer in self.hosts.items():
            for letter in peer.letters("ann"):
                key = subject_of(letter), f"ann@{name}.test"
                copies[key] = copies.get(key, 0) + 1
            for letter in peer.letters("bob"):
                for address in failures(letter, peer.report_type):
                    for token in tokens(letter):
                        reports[token, address] = reports.get((token, address), 0) + 1
        promised = lost = doubles = returned = 0
        missing = []
        for name in NAMES:
            for line in self._ledger(name).read_text().splitlines():
                entry = json.loads(line)
                for recipient in entry["recipients"]:
                    promised += 1
                    key = entry["token"], recipient
                    returned += key in reports
                    doubles += max(0, copies.get(key, 0) - 1)
                    if key not in copies and key not in reports:
                        lost += 1
                        missing.append(key)
        print(f"note: promised {promised}, returned {returned}, second copies {doubles}", flush=True)
        self.check(promised > 10 * self.arguments.seconds ** 0.5, f"{promised} recipients were promised")
        self.check(not lost, f"each was delivered or reported (lost {lost}: {missing[:5]})")
        for peer in (self.steady, self.shaken):
            said = peer.judged("audit")
            self.check(said.get("balanced") is True, f"{peer.name}: the audit balances: {said}")
            said = peer.judged("check", "--data")
            self.check(said.get("problems") == [], f"{peer.name}: all bodies are whole: {said}")

    def _steadiness(self, watch):
        self.check(watch.pid in self.steady.pids(), "the steady one is the process that it was")
        for what, values, allowed in (
            ("memory (KiB)", watch.memory, lambda base: max(base * MEMORY_SLACK, base + MEMORY_SLACK_KIB)),
            ("descriptors", watch.descriptors, lambda base: base + DESCRIPTORS_SLACK),
        ):
            warm = values[int(len(values) * WARM_UP) :]
            quarter = max(1, len(warm) // 4)
            base, last = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
            text = f"{what} of the steady one: {base:.0f} behind the warm-up, {last:.0f} at the end, {max(values)} at most"
            self.check(last <= allowed(base), text)


def subject_of(letter):
    head = letter.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    found = [line for line in head.split(b"\n") if line.lower().startswith(b"subject: letter ")]
    return found[0].split()[-1].decode() if found else ""


def tokens(report):
    """The tokens of the letters that a report encloses."""
    return {line.split()[-1].decode() for line in report.splitlines() if line.lower().startswith(b"subject: letter ")}


def failures(letter, report_type):
    try:
        return [address for address in statuses(letter, report_type) if "@" in address]
    except (AttributeError, TypeError):
        return []  # no report


def main():
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path, help="the postrider binary")
    parser.add_argument("peers", type=Path, help="the folder with the unpacked mailers")
    parser.add_argument("--seconds", type=int, default=3600, help="how long (default: an hour)")
    parser.add_argument("--rate", type=float, default=1.0, help="letters per second and host (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of traffic and faults")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    arguments = parser.parse_args()
    reason = lab.cannot_run(arguments.peers)
    if reason:
        print(f"skipped: traffic: {reason}")
        return lab.SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    soak = Soak(arguments)
    try:
        soak.play()
        print(f"cases: traffic {arguments.seconds}")
    finally:
        soak.stage.close()
        keep = soak.failures or arguments.keep or sys.exc_info()[0]
        print(f"note: logs are in {soak.folder}") if keep else shutil.rmtree(soak.folder, ignore_errors=True)
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
