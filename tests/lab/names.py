"""The name server of the lab: nsd, with one root zone that holds all the scenario knows.

Whatever is not in it does not exist (NXDOMAIN). A zone in `broken` is configured without a file, so
that every question about it ends in SERVFAIL.
"""

import time

from people import write_network, write_people
from room import Room, addresses

NUMBER = 2
ADDRESS = addresses(NUMBER)[0]
START_MAX = 20.0  # seconds
TTL = 5  # seconds; no peer may remember one scenario's answer into the next question


class NameServer:
    def __init__(self, wire, folder, prefix, records, broken=()):
        self.room = Room(folder, "ns.test", prefix)
        etc = self.room.folder / "etc" / "nsd"
        etc.mkdir(parents=True)
        write_people(self.room.folder / "etc", ["nsd"])
        write_network(self.room.folder / "etc", "ns.test", ADDRESS)
        (etc / "root.zone").write_text(zone_text(records))
        (etc / "nsd.conf").write_text(config_text(broken))
        self.room.open()
        wire.plug(self.room, NUMBER)
        self.room.run("mkdir", "-p", "/run/nsd", "/var/lib/nsd")
        self.room.run("nsd-checkzone", ".", "/etc/nsd/root.zone")
        self.room.start("nsd", "-d", "-c", "/etc/nsd/nsd.conf")
        self._wait()

    def _wait(self):
        end = time.monotonic() + START_MAX
        while not self.room.listens(53):
            if time.monotonic() > end:
                raise RuntimeError(f"no name server:\n{self.room.tail('server.log')}")
            time.sleep(0.05)

    def close(self):
        self.room.close()


def zone_text(records):
    lines = [f"$TTL {TTL}", f". SOA ns.test. root.ns.test. 1 3600 600 86400 {TTL}", ". NS ns.test."]
    lines += [f"ns.test. A {ADDRESS}", *records]
    return "\n".join(lines) + "\n"


def config_text(broken):
    text = (
        "server:\n  ip-address: 0.0.0.0\n  server-count: 1\n  zonesdir: /etc/nsd\n  username: nsd\n"
        "  database: \"\"\n  pidfile: /run/nsd/nsd.pid\n  zonelistfile: /var/lib/nsd/zone.list\n"
        "  xfrdfile: /var/lib/nsd/xfrd.state\n  verbosity: 1\n"
        "remote-control:\n  control-enable: no\n"
        "zone:\n  name: .\n  zonefile: root.zone\n"
    )
    for number, zone in enumerate(broken):
        text += f"zone:\n  name: {zone}\n  zonefile: missing-{number}.zone\n"
    return text
