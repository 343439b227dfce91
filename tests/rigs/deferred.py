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
from sink import Sink
from smtp import Smtp

RSS_MAX = 128 * 1024  # KiB
FIRST_MAX = 3.0  # seconds from the start to the first delivery
SLOWER_MAX = 1.1  # of the time that new mail takes beside an empty queue
STALLS = 50  # every fiftieth destination swallows what it is sent
SENDERS = 4
NEW = 2_000
CLONE_NEWNET = 0x40000000
ROUNDS = 11


def body(rig):
    destinations = 2_000 if rig.quick else 20_000
    own_network()
    sink = Sink(pause_max=0)
    rig.at_end(sink.close)
    names = Names(answer)
    rig.at_end(names.close)
    retry_first = 30 if rig.quick else 300
    settings = {
        "retry_first": f"{retry_first}s",
        "relay_networks": ["127.0.0.0/8"],
        "routes": {"live.example": f"[127.0.0.1]:{sink.port}"},
        "dns_servers": [f"127.0.0.1:{names.port}"],
        "connections_per_address_max": 1000,
    }
    server, idle = rig.server("full", **settings), rig.server("empty", **settings)
    server.start()
    begin = time.monotonic()
    fill(server.port, destinations)
    rig.note(f"{destinations * 10} messages for {destinations} destinations accepted in {time.monotonic() - begin:.0f} s")
    memory = []

    def settled():
        memory.append(server.rss())
        time.sleep(1)
        return len(memory) > 60 and max(memory[-30:]) - min(memory[-30:]) < 2048

    wait_until(settled, within=600)
    rig.check(server.peak() < RSS_MAX, f"at most {server.peak() / 1024:.0f} MiB resident while they come and are tried")
    open_now = server.json("status", timeout=600)["open"]
    rig.check(open_now == destinations * 10, f"{open_now} are still in the queue")
    server.kill()
    first = first_delivery(server, sink)
    rig.check(first < FIRST_MAX, f"the first delivery {first:.2f} s after the start")
    idle.start()
    # New mail comes while all that waits is tried again.
    time.sleep(max(0, begin + retry_first - time.monotonic()))
    tried = attempts(server)
    took = {server: [], idle: []}
    for number in range(ROUNDS):
        for one in (server, idle):
            took[one].append(new_mail(one, sink, f"n{number}{one.port}"))
    slower = statistics.median(took[server]) / statistics.median(took[idle])
    rates = {one.folder.name: round(NEW / statistics.median(times)) for one, times in took.items()}
    rig.check(slower <= SLOWER_MAX, f"new mail takes {slower:.2f} times as long beside the queue ({rates} a second)")
    tried = attempts(server) - tried
    rig.check(tried > 0, f"{tried} attempts at dead hosts failed meanwhile")
    rig.check(server.peak() < RSS_MAX, f"at most {server.peak() / 1024:.0f} MiB resident since the restart")
    begin = time.monotonic()
    rig.check(server.run("audit", timeout=600).returncode == 0, f"the audit balances, in {time.monotonic() - begin:.1f} s")
    server.stop()
    rig.cases(destinations * 10)


def attempts(server):
    """Attempts that have failed so far, as the log has them."""
    with open(server.log, "rb") as log:
        return sum(b" mail: deferred " in line for line in log)


def own_network():
    """The rest of this run happens in a new network namespace."""
    if os.geteuid() != 0:
        raise CannotRun("a network of its own needs root")
    need_program("ip")
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
            for copy in range(10):
                letter = message(f"{number} {copy}", b"x" * 1000 + b"\r\n")
                code, text = client.deliver("", [f"u{copy}@d{number:05d}.dead.example"], letter)
                if code != 250:
                    sys.exit(f"{code} {text}")


def first_delivery(server, sink):
    """From the start of the process until a message sent at once has arrived at a live host."""
    begin = time.monotonic()
    server.start()
    letter = message("first", b"x\r\n", extra=b"X-Rig: first\r\n")
    with server.smtp() as client:
        client.deliver("", ["a@live.example"], letter)
    if not wait_until(lambda: ("first", "a@live.example") in sink.taken, within=60):
        raise RuntimeError("it has not arrived")
    return time.monotonic() - begin


def new_mail(server, sink, token):
    letter = message(token, b"x" * 1000 + b"\r\n", extra=f"X-Rig: {token}\r\n".encode())
    begin = time.monotonic()
    with server.smtp() as client:
        for number in range(NEW):
            client.deliver("", [f"{token}{number}@live.example"], letter)
    arrived = lambda: sum(1 for (seen, _) in list(sink.taken) if seen == token)
    while arrived() < NEW:
        time.sleep(0.01)
        if time.monotonic() - begin > 300:
            raise RuntimeError(f"{arrived()} of {NEW} have arrived")
    return time.monotonic() - begin


if __name__ == "__main__":
    main(body)
