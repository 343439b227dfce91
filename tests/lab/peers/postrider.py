"""Postrider: the binary under test."""

import base64
import json

from peers.peer import Peer
from room import NETWORK

# What the lab sets so that a test takes seconds.
OUTGOING = {
    "dns_servers": lambda peer: [f"{peer.context.name_server}:53"],
    "relay_networks": lambda _: [NETWORK],
    "retry_first": lambda _: "5s",
    "queue_lifetime": lambda _: "1h",
    "delay_warning": lambda _: "30m",
    "reply_timeout": lambda _: "10s",
}
PASSWORD = b"correct horse battery\n"
PAGE = 1000  # rows that one command prints
CONFIG = "/etc/postrider/postrider.toml"


class Postrider(Peer):
    def __init__(self, context, host):
        super().__init__(context, host)
        self._shown = {}

    def configure(self):
        settings = {
            "hostname": self.hostname,
            "domains": list(self.domains),
            "data": str(self.room.folder / "data"),
            "listen": ["0.0.0.0:25", "[::]:25"],
            "user": "root",
        }
        settings.update({key: value(self) for key, value in OUTGOING.items()})
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        self.write("postrider/postrider.toml", "\n".join(lines) + "\n")

    def launch(self):
        # Before the start: the accounts are then written to the files without asking a server.
        for person in self.people:
            for domain in self.domains:
                self._ask("account", "add", f"{person}@{domain}", stdin=PASSWORD)
        self.room.start(self.context.binary, "serve", "--config", CONFIG)

    def waiting(self):
        return bool(json.loads(self._ask("queue", "list", "--json")).get("items"))

    def letters(self, local):
        return [letter for domain in self.domains for letter in self._letters(f"{local}@{domain}")]

    def version(self):
        return f"Postrider {self.room.run(self.context.binary, '--version').decode().split()[-1]}"

    def _letters(self, account):
        listing = json.loads(self._ask("mail", "list", account, "--limit", PAGE, "--json"))
        for row in listing["messages"]:
            key = account, row["uid"]
            if key not in self._shown:
                shown = json.loads(self._ask("mail", "show", *key, "--json"))
                self._shown[key] = base64.b64decode(shown["base64"])
            yield self._shown[key]

    def _ask(self, *arguments, stdin=b""):
        return self.room.run(self.context.binary, *arguments, "--config", CONFIG, stdin=stdin)
