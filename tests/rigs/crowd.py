"""Clients that say EHLO and nothing more, in a process of their own, whose descriptors are its own.

As a program: `crowd.py PORT COUNT` says `open N` (and what went wrong) and stays until its input ends.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

from server import raise_files

PER_ADDRESS = 200  # from one of 127.0.0.x, for the limit per address
AT_ONCE = 100  # not faster than they can be greeted


class Crowd:
    """The program, for rigs: `open` is how many are there, `problem` why not all."""

    def __init__(self, port, count):
        self.process = subprocess.Popen(
            [sys.executable, "-B", Path(__file__), str(port), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        words = self.process.stdout.readline().split(maxsplit=2)
        self.open = int(words[1]) if len(words) > 1 else 0
        self.problem = words[2].strip() if len(words) > 2 else ""

    def leave(self):
        self.process.stdin.close()
        self.process.wait(60)


def gather(port, count):
    """The sockets, and what ended it early."""
    raise_files(count + 100)
    held = []
    try:
        while len(held) < count:
            group = [connect(port, len(held) + at) for at in range(min(AT_ONCE, count - len(held)))]
            held += group
            for peer in group:
                greeting = peer.recv(200)
                if not greeting.startswith(b"220"):
                    raise OSError(f"greeted with {greeting!r}")
                peer.sendall(b"EHLO idle.example.net\r\n")
            for peer in group:
                peer.recv(2000)
    except OSError as error:
        return held, f"({error})"
    return held, ""


def connect(port, number):
    address = number // PER_ADDRESS
    source = f"127.0.{1 + address // 200}.{1 + address % 200}"
    return socket.create_connection(("127.0.0.1", port), 30, (source, 0))


if __name__ == "__main__":
    sockets, problem = gather(int(sys.argv[1]), int(sys.argv[2]))
    print("open", len(sockets), problem, flush=True)
    sys.stdin.read()
    os._exit(0)
