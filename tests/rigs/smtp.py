"""A small SMTP client that hides nothing: raw octets out, code and text back."""

import re
import socket


class Refused(Exception):
    """A reply other than the one the client hoped for."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


class Smtp:
    """One connection. Any reply is a value; only a broken connection is an exception."""

    def __init__(self, port, host="127.0.0.1", source=None, timeout=60, hello=True):
        self.socket = socket.create_connection(
            (host, port), timeout=timeout, source_address=(source, 0) if source else None
        )
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()
        if hello and self.greeting[0] == 220:
            self.expect(250, self.ask("EHLO client.example.net"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def reply(self):
        """One reply, however many lines: (code, text)."""
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError(f"closed in the middle of a reply: {line!r}")
            text = line.decode("latin-1").rstrip("\r\n")
            lines.append(text[4:])
            if text[3:4] != "-":
                return int(text[:3]), "\n".join(lines)

    def send(self, octets):
        self.socket.sendall(octets)

    def ask(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def expect(self, code, reply):
        if reply[0] != code:
            raise Refused(*reply)
        return reply[1]

    def deliver(self, sender, recipients, message):
        """The reply that decides: to end-of-data, or the first refusal before it."""
        # RFC 2920 §3.1: a group of commands goes out in one piece.
        commands = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{to}>" for to in recipients), "DATA"]
        self.send("".join(f"{command}\r\n" for command in commands).encode())
        replies = [self.reply() for _ in commands]
        if replies[-1][0] != 354:
            bad = [reply for reply in replies if reply[0] >= 400]
            self.ask("RSET")
            return bad[0]
        self.send(dot_stuffed(message) + b".\r\n")
        return self.reply()

    def quit(self):
        reply = self.ask("QUIT")
        self.close()
        return reply

    def close(self):
        self.file.close()
        self.socket.close()


def dot_stuffed(message):
    """RFC 5321 §4.5.2; a last line without CRLF gets one, as SMTP knows no other."""
    if message and not message.endswith(b"\r\n"):
        message += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", message)
