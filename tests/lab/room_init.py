"""The first process of a room: lays the mounts, reaps what ends, and is its system log.

Runs in fresh namespaces. /usr and /etc are what the machine has with the peer's packages laid over
them; what is written to them and to /var lands in the room's folder; /run and /dev are its own.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DATAGRAM_MAX = 65536


def main():
    spec = json.loads(sys.argv[1])
    folder, prefix = Path(spec["folder"]), spec["prefix"]
    mount("--make-rprivate", "/")
    mount("-t", "proc", "proc", "/proc")
    lay_overlays(folder, prefix and Path(prefix))
    mount("-t", "tmpfs", "-o", "mode=755", "run", "/run")
    own_devices(folder / "dev")
    socket.sethostname(spec["hostname"])
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    os.chmod("/dev/log", 0o666)
    (folder / "ready").touch()
    serve(log, folder / "syslog")


def lay_overlays(folder, prefix):
    for name in ("usr", "etc", "var"):
        lower = f"/{name}"
        if prefix and (prefix / name).is_dir():
            lower = f"{prefix}/{name}:{lower}"
        upper, work = folder / name, folder / "work" / name
        for place in (upper, work):
            place.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        mount("-t", "overlay", "-o", options, name, f"/{name}")


def own_devices(staging):
    """A /dev of our own, as a socket named /dev/log must not appear on the machine."""
    staging.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=755", "dev", staging)
    for name in DEVICES:
        (staging / name).touch()
        mount("--bind", f"/dev/{name}", staging / name)
    (staging / "shm").mkdir(mode=0o1777)
    (staging / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (staging / name).symlink_to(f"/proc/self/fd/{number}")
    mount("--rbind", staging, "/dev")


def serve(log, path):
    """Until the kernel ends the room: only the first process can reap the orphans."""
    signal.signal(signal.SIGCHLD, reap)
    with open(path, "ab", buffering=0) as file:
        while True:
            line = log.recv(DATAGRAM_MAX)
            file.write(line.partition(b">")[2].rstrip(b"\n\0") + b"\n")


def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass  # none left


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


main()
