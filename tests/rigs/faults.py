"""The disk says no for a while: 4yz and never 5yz, nothing promised is lost, service comes back.

System calls on the files of the data folder are made to fail with strace; then a disk runs full,
and a file system turns read-only under the server.
"""

import json
import os
import signal
import subprocess
import time

from load import Ledger
from loop import LoopDisk
from rig import CannotRun, find_program, main, wait_until

# (system call, what it answers, whether nothing can be taken while it does). A write that answers 0
# is the shortest of short writes; a small message needs no new file.
INJECTIONS = [
    ("pwrite64", "error=ENOSPC", True),
    ("pwrite64", "retval=0", True),
    ("fdatasync", "error=EIO", True),
    ("fsync", "error=EIO", False),  # commits fail; what the journal promises lasts without them
    ("openat", "error=ENOSPC", False),
    ("pwrite64", "error=EIO", True),
    ("fdatasync", "error=ENOSPC", True),
    ("openat", "error=EMFILE", False),
]
QUICK = 5  # of them, from the first
# Calls on the write-ahead log that fail once: the commit may have happened or not.
COMMITS = [("fsync", "error=EIO:when=1"), ("pwrite64", "error=EIO:when=1")]
SIZES = [500, 300_000, 2_000_000]  # in the group append, a draft on disk, more than one turn
COMMITTED_WITHIN = 1.0  # seconds until what the journal promises is committed
BACK_WITHIN = 30.0  # seconds from the end of the fault to the next 250


def body(rig):
    for part, fault in (("calls", calls), ("small-disk", full_disk), ("read-only", read_only)):
        try:
            rig.cases(fault(rig), part)
        except CannotRun as reason:
            rig.skip_part(part, str(reason))


# --- single system calls ---


def calls(rig):
    strace = find_program("strace")
    if not strace:
        raise CannotRun("no strace on this machine; `cargo xtask lab` may fetch it")
    server = rig.server()
    server.start()
    ledger = Ledger([server.add_account("alice"), server.add_account("bob")], seed=3)
    wanted = INJECTIONS[:QUICK] if rig.quick else INJECTIONS
    for call, answer, all_refused in wanted:
        what = f"{call} {answer}"
        deliver(server, ledger, SIZES[:1])
        with Fault(rig, strace, server, call, answer) as fault:
            replies = deliver(server, ledger, SIZES)
            asked = questions(server)
        judge(rig, what, replies, fault)
        answered(rig, what, asked)
        if all_refused:
            rig.check(all(code != 250 for code, _ in replies), f"{what}: nothing is promised")
        back(rig, server, ledger, what)
    for call, answer in COMMITS:
        commit_fails_once(rig, strace, server, ledger, call, answer)
    ledger.report(rig, server, "after all injections")
    server.stop()
    server.start()
    ledger.report(rig, server, "after a restart")
    rig.check(server.run("check", "--data").returncode == 0, "every body has its checksum")
    server.stop()
    return len(wanted) + len(COMMITS)


def commit_fails_once(rig, strace, server, ledger, call, answer):
    """What was promised before the commit is there, whatever became of the commit."""
    what = f"commit: {call} {answer}"
    deliver(server, ledger, SIZES[:1])
    time.sleep(COMMITTED_WITHIN)
    wal = server.data / "postrider.db-wal"
    with Fault(rig, strace, server, call, answer, only=wal) as fault:
        replies = deliver(server, ledger, SIZES[:1] * 3)
        time.sleep(COMMITTED_WITHIN)
    judge(rig, what, replies, fault)
    server.kill()
    server.start()
    ledger.report(rig, server, f"{what}, after a kill")


class Fault:
    """While it lasts, one system call on files of the data folder answers as told."""

    def __init__(self, rig, strace, server, call, answer, only=None):
        self.trace = rig.folder / f"strace-{call}"
        self.command = [strace, "-f", "-q", "-o", self.trace, "-e", f"trace={call}"]
        self.command += ["-e", f"inject={call}:{answer}"]
        # New files of the data folder have to fail as well, so only one that is named narrows it.
        if only:
            self.command += ["-P", only]
        for pid in server.tree():
            self.command += ["-p", str(pid)]
        self.hits = 0

    def __enter__(self):
        self.process = subprocess.Popen(list(map(str, self.command)), stderr=subprocess.PIPE)
        time.sleep(0.5)  # until every thread is attached
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        self.hits = self.trace.read_text(errors="replace").count("(INJECTED)")


def deliver(server, ledger, sizes):
    """The replies; 0 for a connection that broke."""
    replies = []
    for size in sizes:
        try:
            with server.smtp(timeout=30) as client:
                if client.greeting[0] != 220:
                    replies.append(client.greeting)
                else:
                    replies.append(ledger.deliver_one(client, size))
        except (OSError, ValueError) as error:
            replies.append((0, str(error)))
    return replies


def judge(rig, what, replies, fault=None):
    codes = [code for code, _ in replies]
    polite = all(code == 250 or 400 <= code < 500 for code in codes)
    hits = f", {fault.hits} calls failed" if fault else ""
    rig.check(polite, f"{what}: 250 or 4yz, never 5yz: {codes}{hits}")
    for code, text in replies:
        if not (code == 250 or 400 <= code < 500):
            print(f"  {code} {text}")
    if fault:
        rig.check(fault.hits, f"{what}: the server made such calls")


def questions(server):
    """Somebody asks where mail is just then; the last question is about a stranger."""
    status = server.run("status")
    return status, server.run("queue", "list", "--json"), server.run("trace", "nobody@example.org")


def answered(rig, what, asked):
    """All is answered; what is from the last commit says so, and then the stranger is not unknown."""
    status, queue, stranger = asked
    old = "behind" in json.loads(queue.stdout or "{}")
    codes = [done.returncode for done in asked]
    rig.check(codes == [0, 0, 75 if old else 1], f"{what}: questions are answered: {codes}")
    said = queue.stderr.decode().strip() or "all of it"
    rig.check(old == ("last commit" in said), f"{what}: {said}")


def back(rig, server, ledger, what):
    begin = time.monotonic()
    came = wait_until(lambda: deliver(server, ledger, SIZES[:1])[0][0] == 250, BACK_WITHIN)
    rig.check(came, f"{what}: service is back after {time.monotonic() - begin:.1f} s")
    codes = [code for code, _ in deliver(server, ledger, SIZES)] if came else []
    rig.check(codes == [250] * len(SIZES), f"{what}: all sizes are taken again {codes}")


# --- whole disks ---


def full_disk(rig):
    disk = LoopDisk(rig, "small", mib=160)
    ballast = disk.mount_point / "ballast"
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 100 * 1024 * 1024)
    server = rig.server("small-server", data=disk.mount_point / "data")
    server.start()
    ledger = Ledger([server.add_account("alice")], seed=4)
    replies = []
    for _ in range(80):
        replies += deliver(server, ledger, [2_000_000])
        if replies[-1][0] != 250:
            break
    judge(rig, "full disk", replies[-3:])
    rig.check(replies[-1][0] == 452, f"a full disk is said at once: {replies[-1]}")
    replies = deliver(server, ledger, SIZES)
    judge(rig, "still full", replies)
    rig.check(server.run("mail", "list", "alice@example.test").returncode == 0, "mail can be listed")
    answered(rig, "full disk", questions(server))
    ballast.unlink()
    back(rig, server, ledger, "room again")
    ledger.report(rig, server, "full disk")
    server.stop()
    return 1


def read_only(rig):
    disk = LoopDisk(rig, "fragile", mib=512)
    server = rig.server("fragile-server", data=disk.mount_point / "data")
    server.start()
    ledger = Ledger([server.add_account("alice")], seed=5)
    deliver(server, ledger, SIZES)
    disk.go_read_only()
    judge(rig, "read-only disk", deliver(server, ledger, SIZES))
    rig.check(server.process.poll() is None, "read-only disk: the server still runs")
    answered(rig, "read-only disk", questions(server))
    server.kill()
    disk.repair()
    server.start()
    back(rig, server, ledger, "repaired disk")
    ledger.report(rig, server, "repaired disk")
    server.stop()
    return 1


if __name__ == "__main__":
    main(body)
