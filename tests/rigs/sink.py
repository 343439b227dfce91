"""An SMTP server that takes everything and remembers what: the next host of the server under test."""

import random
import re
import socket
import threading
import time

TOKEN = re.compile(rb"^X-Rig: (\S+)", re.MULTILINE)


class Sink:
    """Recipients whose name begins with `bad` are refused, those with `slow` deferred once."""

    def __init__(self, seed=3, pause_max=0.03):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.dice = random.Random(seed)
        self.pause_max = pause_max
        self.lock = threading.Lock()
        self.taken = {}  # (token, recipient) -> how often
        self.deferred = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            with peer, peer.makefile("rb") as lines:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(peer, lines)
        except OSError:
            pass  # the other side was killed

    def _talk(self, peer, lines):
        recipients = []
        peer.sendall(b"220 sink.example ESMTP\r\n")
        for line in lines:
            verb = line[:4].upper()
            if verb == b"EHLO":
                peer.sendall(b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
            elif verb in (b"MAIL", b"RSET"):
                recipients = []
                peer.sendall(b"250 2.0.0 ok\r\n")
            elif verb == b"RCPT":
                address = line.split(b"<")[1].split(b">")[0].decode()
                peer.sendall(self._answer(address, recipients))
            elif verb == b"DATA" and not recipients:
                peer.sendall(b"503 5.5.1 no recipients\r\n")
            elif verb == b"DATA":
                peer.sendall(b"354 go on\r\n")
                body = read_body(lines)
                if body is None:
                    return
                self._take(body, recipients)
                time.sleep(self.dice.uniform(0, self.pause_max))
                peer.sendall(b"250 2.0.0 taken\r\n")
            elif verb == b"QUIT":
                peer.sendall(b"221 2.0.0 bye\r\n")
                return
            else:
                peer.sendall(b"250 2.0.0 ok\r\n")

    def _answer(self, address, recipients):
        if address.startswith("bad"):
            return b"550 5.1.1 nobody of that name\r\n"
        with self.lock:
            if address.startswith("slow") and address not in self.deferred:
                self.deferred.add(address)
                return b"451 4.2.0 later\r\n"
        recipients.append(address)
        return b"250 2.1.5 ok\r\n"

    def _take(self, body, recipients):
        token = TOKEN.search(body).group(1).decode()
        with self.lock:
            for address in recipients:
                key = (token, address)
                self.taken[key] = self.taken.get(key, 0) + 1


def read_body(lines):
    """What comes before the final dot; None when the connection ends before it."""
    body = []
    for line in lines:
        if line == b".\r\n":
            return b"".join(body)
        body.append(line)
    return None
