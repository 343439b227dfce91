"""A message of a gibibyte streams to disk and back: memory does not grow with it."""

import hashlib
import random
import subprocess
import threading
import time

from rig import main, wait_until

MIB = 1024 * 1024
GROWTH_MAX_KIB = 64 * 1024


def body(rig):
    mib = 128 if rig.quick else 1024
    server = rig.server(message_size_max=f"{mib + 16} MiB")
    server.start()
    alice = server.add_account("alice")
    before = server.rss()
    with Highest(server) as highest:
        start = time.monotonic()
        (code, text), digest, length = send(server, alice, mib)
        took = time.monotonic() - start
        rig.check(code == 250, f"{mib} MiB: {code} {text}")
        rig.note(f"accepted in {took:.1f} s, {mib / took:.0f} MiB/s")
        wait_until(lambda: server.entries(alice))
    growth = highest.kib - before
    rig.check(growth < GROWTH_MAX_KIB, f"memory of the server grew by {growth} KiB from {before}")
    with Highest(server) as highest:
        uid = server.entries(alice)[0]["uid"]
        shown = tail_digest(server, alice, uid, length)
    rig.check(shown == digest, "it comes back octet for octet")
    growth = highest.kib - before
    rig.check(growth < GROWTH_MAX_KIB, f"while it was read, by {growth} KiB")
    rig.check(server.run("check", "--data", timeout=600).returncode == 0, "its checksum is right")


class Highest:
    """Samples the server's resident memory, in KiB."""

    def __init__(self, server):
        self.server = server
        self.kib = 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._sample)

    def _sample(self):
        while not self.over.wait(0.1):
            self.kib = max(self.kib, self.server.rss())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def pieces(mib):
    """The message, a mebibyte at a time; no line begins with a dot."""
    yield b"From: <rig@client.example.net>\r\nSubject: a big one\r\n\r\n"
    dice = random.Random(1)
    line = dice.randbytes(38).hex().encode() + b"\r\n"
    block = line * (MIB // len(line))
    for number in range(mib):
        yield b"%08d\r\n" % number + block


def send(server, to, mib):
    digest, length = hashlib.sha256(), 0
    with server.smtp(timeout=600) as client:
        client.expect(250, client.ask("MAIL FROM:<rig@client.example.net>"))
        client.expect(250, client.ask(f"RCPT TO:<{to}>"))
        client.expect(354, client.ask("DATA"))
        for piece in pieces(mib):
            digest.update(piece)
            length += len(piece)
            client.send(piece)
        client.send(b".\r\n")
        return client.reply(), digest.hexdigest(), length


def tail_digest(server, account, uid, length):
    """The digest of the last `length` octets of what `mail show` prints, without keeping them."""
    command = [str(server.binary), "mail", "show", account, str(uid), "--config", str(server.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        head = b""
        while b"\r\nFrom: <rig@client" not in head and not head.startswith(b"From: <rig@client"):
            piece = process.stdout.read(4096)
            if not piece:
                return None
            head += piece
        rest = head[head.index(b"From: <rig@client") :]
        digest, seen = hashlib.sha256(rest), len(rest)
        for piece in iter(lambda: process.stdout.read(MIB), b""):
            digest.update(piece)
            seen += len(piece)
        process.wait()
    return digest.hexdigest() if seen == length else f"{seen} octets"


if __name__ == "__main__":
    main(body)
