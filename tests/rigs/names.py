"""A name server of a function, for rigs: UDP, one question at a time."""

import socket
import struct
import threading

A, MX, AAAA = 1, 15, 28


class Names:
    """`answer(name, type)` gives a list of records, or None for a name that does not exist: an
    address for A, `(preference, host)` for MX."""

    def __init__(self, answer):
        self.answer = answer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                octets, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self._reply(octets), peer)
            except OSError:
                return  # closed

    def _reply(self, octets):
        name, at = read_name(octets, 12)
        (kind,) = struct.unpack_from(">H", octets, at)
        question = octets[12 : at + 4]
        found = self.answer(name, kind)
        code = 3 if found is None else 0
        records = b"".join(record(kind, one) for one in found or [])
        head = octets[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(found or []), 0, 0)
        return head + question + records


def read_name(octets, at):
    labels = []
    while octets[at]:
        labels.append(octets[at + 1 : at + 1 + octets[at]].decode().lower())
        at += 1 + octets[at]
    return ".".join(labels), at + 1


def write_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def record(kind, value):
    if kind == MX:
        preference, host = value
        data = struct.pack(">H", preference) + write_name(host)
    else:
        data = socket.inet_aton(value)
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 3600, len(data)) + data
