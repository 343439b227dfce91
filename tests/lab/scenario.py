"""A scenario file: which hosts stand on the wire, what the DNS says, who writes to whom, what must happen."""

import re
import tomllib
from dataclasses import dataclass, field

from room import addresses

FIRST_NUMBER = 10  # of a host's address
FIRST_ABSENT = 200  # of the addresses where nobody is
WITHIN = 45.0  # seconds, when the scenario does not say
SENDER = "bob"
READER = "ann"
EACH = "each"  # one mail per sending host, or per pair
WHERE = "{receiver}"  # in an address: the host that is to get it

# What stands at an address without being a mailer.
ABSENT, REFUSING, SCRIPTED = "absent", "refusing", "scripted"


@dataclass
class Host:
    """One name on the wire. `mx.NAME.test` is its host, `NAME.test` its first domain."""

    name: str
    program: str
    number: int
    domains: list
    says: dict
    people: list = field(default_factory=lambda: [SENDER, READER])

    @property
    def hostname(self):
        return f"mx.{self.name}.test"

    @property
    def is_mailer(self):
        return self.program not in (ABSENT, REFUSING, SCRIPTED)


@dataclass
class Mail:
    """One mail, and everything that must become of it."""

    sender: Host
    receiver: str  # for the matrix: the host it is meant for, or a word for the scenario
    recipients: list
    within: float
    delivered: dict  # recipient → name of the host
    bounced: dict  # recipient → beginning of the status
    deferred: list

    @property
    def from_address(self):
        return f"{SENDER}@{self.sender.domains[0]}"


class Scenario:
    def __init__(self, path):
        table = tomllib.loads(path.read_text())
        self.name = path.stem
        self.title = table.pop("title")
        self.rule = table.pop("rule", "")
        self.broken = table.get("dns", {}).get("broken", [])
        self.own_records = table.pop("dns", {}).get("records", [])
        self.senders = table.pop("senders")
        self.known = table.pop("known", {})  # sender → why it cannot do this
        self.hosts = hosts_of(self.senders, table.pop("hosts", {}))
        self.mails = [mail for entry in table.pop("mail") for mail in self._mails(dict(entry))]
        if table:
            raise ValueError(f"{path.name}: nobody reads {', '.join(table)}")
        for mail in self.mails:
            self._people_of(mail)

    def records(self):
        """Address, MX and the way back for each host, then what the file itself says."""
        lines = []
        for host in self.hosts.values():
            v4, v6 = addresses(host.number)
            lines.append(f"{host.hostname}. A {v4}")
            lines += [f"{host.domains[0]}. MX 10 {host.hostname}."] if host.is_mailer else []
            lines.append(f"{'.'.join(reversed(v4.split('.')))}.in-addr.arpa. PTR {host.hostname}.")
        return lines + [self._with_addresses(record) for record in self.own_records]

    def without(self, missing):
        """Takes away the hosts that cannot run here; answers how many mails go with them."""
        for name in missing:
            self.hosts.pop(name, None)
        known = [mail for mail in self.mails if not mentioned(mail) & set(missing)]
        lost = len(self.mails) - len(known)
        self.mails = known
        return lost

    def _mails(self, entry):
        senders, receivers = entry.pop("from"), entry.pop("to_each", [""])
        senders = self.senders if senders == EACH else senders
        receivers = self.senders if receivers == EACH else receivers
        for sender in senders:
            if sender in self.known:
                continue
            for receiver in receivers:
                if sender != receiver:
                    yield self._mail(self.hosts[sender], receiver, entry)

    def _mail(self, sender, receiver, entry):
        fill = lambda text: text.replace(WHERE, receiver)
        entry = dict(entry)
        delivered = {
            one: fill(host) for pattern, host in entry.pop("delivered", {}).items() for one in spread(fill(pattern))
        }
        bounced = {fill(address): status for address, status in entry.pop("bounced", {}).items()}
        deferred = [fill(address) for address in entry.pop("deferred", [])]
        within = float(entry.pop("within", WITHIN))
        if entry:
            raise ValueError(f"{self.name}: nobody reads {', '.join(entry)} in [[mail]]")
        recipients = [*delivered, *bounced, *deferred]
        return Mail(sender, receiver, recipients, within, delivered, bounced, deferred)

    def _people_of(self, mail):
        for address, host in mail.delivered.items():
            people = self.hosts[host].people
            local = address.split("@")[0]
            if local not in people:
                people.append(local)

    def _with_addresses(self, record):
        """`@NAME` in a record stands for that host's IPv4 address, `@NAME/6` for its IPv6 address."""
        address = lambda found: addresses(self.hosts[found[1]].number)[found[2] is not None]
        return re.sub(r"@(\w+)(/6)?", address, record)


def hosts_of(senders, named):
    hosts, number, absent = {}, FIRST_NUMBER, FIRST_ABSENT
    tables = {name: {"program": name} for name in senders} | named
    for name, table in tables.items():
        program = table.pop("program", name)
        here = absent if program == ABSENT else number
        absent, number = absent + (program == ABSENT), number + (program != ABSENT)
        domains = [f"{name}.test", *table.pop("domains", [])]
        hosts[name] = Host(name, program, here, domains, table.pop("says", {}))
        if table:
            raise ValueError(f"host {name}: nobody reads {', '.join(table)}")
    return hosts


def spread(pattern):
    """`u01..u40@x.test` is forty addresses."""
    found = re.fullmatch(r"([a-z]+)(\d+)\.\.\1(\d+)@(.+)", pattern)
    if not found:
        return [pattern]
    stem, first, last, domain = found.groups()
    return [f"{stem}{number:0{len(first)}}@{domain}" for number in range(int(first), int(last) + 1)]


def mentioned(mail):
    """The hosts without which a mail cannot be judged."""
    return {mail.sender.name, mail.receiver, *mail.delivered.values()}
