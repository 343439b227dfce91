"""A large queue for dead destinations: memory stays small, a restart is quick, new mail is not slowed.

Runs in a network of its own: some destinations cannot be reached, others swallow what they are sent.
"""

import ctypes
import multiprocessing
import os
import re
import statistics
import sys
import time

from messages import message
from names import A, MX, Names
from rig import CannotRun, main, need_program, run, wait_until
from server import free_port
from sink import Sink
from smtp import Smtp

PER_DESTINATION = 10  # messages
RSS_MAX = 128 * 1024  # KiB
RSS_MAX_LARGE = 256 * 1024  # KiB, above 20,000 destinations
FIRST_MAX = 2.0  # seconds from the start to the first delivery
SLOWER_MAX = 1.1  # of the time that new mail takes beside an empty queue
STALLS = 50  # every fiftieth destination swallows what it is sent
SENDERS = 4
NEW = 4_000  # messages in one round
LEFT = ("postrider.db", "postrider.db-wal")  # what a start reads first
CLONE_NEWNET = 0x40000000
ROUNDS = 11
ROUNDS_QUICK = 3


def body(rig):
    destinations = rig.arguments.destinations or (2_000 if rig.quick else 20_000)
    own_network()
    sink = Sink(pause_max=0)
    rig.at_end(sink.close)
    names = Names(answer)
    rig.at_end(names.close)
    load_port = free_port()
    retry_first = max(30, min(300, destinations * 3 // 200))
    settings = {
        "retry_first": f"{retry_first}s",
        "relay_networks": ["127.0.0.0/8"],
        "routes": {"live.example": f"[127.0.0.1]:{sink.port}", "load.example": f"[127.0.0.1]:{load_port}"},
        "dns_servers": [f"127.0.0.1:{names.port}"],
        "connections_per_address_max": 1000,
    }
    server, idle = rig.server("full", **settings), rig.server("empty", **settings)
    server.start()
    begin = time.monotonic()
    came_and_tried(rig, server, destinations)
    restart(rig, server, sink)
    idle.start()
    # New mail comes while all that waits is tried again.
    time.sleep(max(0, begin + retry_first - time.monotonic()))
    beside(rig, server, idle, load_port)
    begin = time.monotonic()
    rig.check(server.run("audit", timeout=600).returncode == 0, f"the audit balances, in {time.monotonic() - begin:.1f} s")
    rig.figure("audit", time.monotonic() - begin)
    server.stop()
    rig.cases(destinations * PER_DESTINATION)


def came_and_tried(rig, server, destinations):
    """Fills the queue and waits until every destination has been tried."""
    count = destinations * PER_DESTINATION
    begin = time.monotonic()
    fill(server.port, destinations)
    took = time.monotonic() - begin
    rig.note(f"{count} messages for {destinations} destinations accepted in {took:.0f} s")
    rig.figure("messages", count)
    rig.figure("accepted", took)
    memory = []

    def settled():
        memory.append(server.rss())
        time.sleep(1)
        return len(memory) > (30 if rig.quick else 60) and max(memory[-30:]) - min(memory[-30:]) < 2048

    wait_until(settled, within=300)
    aim(rig, "memory", server.peak(), rss_max(rig), "KiB resident at most while they come and are tried")
    rig.figure("disk", disk_use(server.data))
    open_now = server.json("status", timeout=600)["open"]
    rig.check(open_now == count, f"{open_now} are still in the queue")


def restart(rig, server, sink):
    server.kill()
    left = {name: (server.data / name).stat().st_size >> 20 for name in LEFT if (server.data / name).exists()}
    rig.note(f"killed; it leaves, in MiB: {left}")
    greeting, first = first_delivery(server, sink)
    rig.figure("greeting", greeting)
    aim(rig, "first delivery", first, FIRST_MAX, "s from the start to the first delivery")


def beside(rig, server, idle, load_port):
    """New mail through the full server and through the empty one, in turn."""
    tried = attempts(server)
    took = {server: [], idle: []}
    for _ in range(ROUNDS_QUICK if rig.quick else ROUNDS):
        for one in (server, idle):
            took[one].append(new_mail(one, load_port))
    full, empty = (NEW / statistics.median(took[one]) for one in (server, idle))
    rig.figure("new mail", full)
    rig.figure("new mail beside nothing", empty)
    aim(rig, "slower", empty / full, SLOWER_MAX, "times as long for new mail beside the queue")
    tried = attempts(server) - tried
    rig.check(tried > 0, f"{tried} attempts at dead hosts failed meanwhile")
    rig.figure("attempts meanwhile", tried)
    aim(rig, "memory since", server.peak(), rss_max(rig), "KiB resident at most since the restart")


def aim(rig, name, value, most, what):
    """A limit that has to hold, unless the figures alone are wanted."""
    rig.figure(name, value)
    if rig.arguments.measure:
        rig.note(f"{value:.2f} {what}")
    else:
        rig.check(value <= most, f"{value:.2f} {what}")


def rss_max(rig):
    return RSS_MAX_LARGE if (rig.arguments.destinations or 0) > 20_000 else RSS_MAX


def disk_use(folder):
    """Octets that the files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def attempts(server):
    """Attempts that have failed so far, as the log has them."""
    with open(server.log, "rb") as log:
        return sum(b" mail: deferred " in line for line in log)


def own_network():
    """The rest of this run happens in a new network namespace."""
    if os.geteuid() != 0:
        raise CannotRun("a network of its own needs root")
    need_program("ip")
    if "POSTRIDER_XTASK" not in os.environ:
        raise CannotRun("new mail is measured by cargo xtask, which starts this")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise CannotRun(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    run("ip", "link", "set", "lo", "up")
    try:
        run("ip", "link", "add", "hole", "type", "veth", "peer", "name", "bottom")
    except RuntimeError as error:
        raise CannotRun(f"no veth device: {error}") from None
    run("ip", "address", "add", "198.51.100.1/24", "dev", "hole")
    run("ip", "link", "set", "hole", "up")
    run("ip", "link", "set", "bottom", "up")
    run("ip", "neighbour", "add", "198.51.100.2", "lladdr", "02:00:00:00:00:02", "dev", "hole")


def answer(name, kind):
    """d00001.dead.example and so on: one host each."""
    found = re.fullmatch(r"(mx\.)?d(\d+)\.dead\.example", name)
    if not found:
        return None
    if kind == MX and not found[1]:
        return [(10, f"mx.{name}")]
    if kind == A and found[1]:
        # No route leads to the second one.
        return ["198.51.100.2" if int(found[2]) % STALLS == 0 else "203.0.113.2"]
    return []


def fill(port, destinations):
    processes = [
        multiprocessing.Process(target=fill_some, args=(port, range(start, destinations, SENDERS)))
        for start in range(SENDERS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode != 0:
            raise RuntimeError("a sender failed")


def fill_some(port, numbers):
    with Smtp(port) as client:
        for number in numbers:
            for copy in range(PER_DESTINATION):
                letter = message(f"{number} {copy}", b"x" * 1000 + b"\r\n")
                code, text = client.deliver("", [f"u{copy}@d{number:05d}.dead.example"], letter)
                if code != 250:
                    sys.exit(f"{code} {text}")


def first_delivery(server, sink):
    """Seconds until the greeting, and until a message sent at once has arrived at a live host."""
    begin = time.monotonic()
    greeting = server.start()
    letter = message("first", b"x\r\n", extra=b"X-Rig: first\r\n")
    with server.smtp() as client:
        client.deliver("", ["a@live.example"], letter)
    while ("first", "a@live.example") not in sink.taken:
        if time.monotonic() - begin > 60:
            raise RuntimeError("it has not arrived")
        time.sleep(0.005)
    return greeting, time.monotonic() - begin


def new_mail(server, load_port):
    """The seconds that so much new mail takes through the server, as the bench `relay` measures it."""
    through = [os.environ["POSTRIDER_XTASK"], "bench", "through", server.port, load_port, "a@load.example", NEW]
    return float(run(*through))


def options(parser):
    parser.add_argument("--destinations", type=int, help=f"each with {PER_DESTINATION} messages")
    parser.add_argument("--measure", action="store_true", help="figures only: no limit has to hold")


if __name__ == "__main__":
    main(body, options)
