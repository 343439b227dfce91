"""Deliveries to another host are interrupted: every recipient gets the message at least once, or
its sender a report; what came twice was interrupted, and its story says so."""

import random
import threading
import time

from messages import message
from rig import wait_until
from server import queue_id
from sink import Sink

DRAIN_MAX = 180.0  # seconds until the queue is empty after the last start


def settings(sink):
    return {
        "relay_networks": ["127.0.0.0/8"],
        "routes": {"*": f"[127.0.0.1]:{sink.port}"},
        "dns_servers": ["127.0.0.1:9"],
        "retry_first": "1s",
        "retry_longest": "2s",
    }


def rounds(rig, server, sink, interrupt):
    """`interrupt` stops the server in the middle of its work and starts it again. It answers the
    moment from which on a reply counts no more, or None: a power cut that is played is not as sudden
    as a real one, after which nobody hears a 250."""
    count = rig.rounds or 5
    server.start()
    sender = server.add_account("alice")
    dice = random.Random(11)
    heard = {}  # token -> (queue id, recipients, moment of the 250)
    promised, late = {}, 0
    for number in range(count):
        threads = [
            threading.Thread(target=send, args=(server, sender, heard, f"r{number}c{connection}"))
            for connection in range(4)
        ]
        for thread in threads:
            thread.start()
        time.sleep(dice.uniform(0.2, 0.8))
        last_moment = interrupt()
        for thread in threads:
            thread.join()
        for token, (item, recipients, moment) in heard.items():
            if last_moment is None or moment < last_moment:
                promised[token] = (item, recipients)
            else:
                late += 1
        heard.clear()
    drained = wait_until(lambda: totals(server)["open"] == 0, within=DRAIN_MAX)
    rig.check(drained, f"the queue is empty: {totals(server)}")
    rig.check(len(promised) >= count, f"{len(promised)} messages were promised, and {late} too late")
    lost, doubles, unexplained = judge(server, sink, promised)
    rig.check(not lost, f"every recipient got it, or the sender a report (lost: {lost[:5]})")
    rig.check(not unexplained, f"{doubles} doubles, each of them interrupted (not so: {unexplained[:5]})")
    rig.check(server.run("audit").returncode == 0, "the audit balances")
    server.stop()
    rig.cases(count)


def send(server, sender, heard, name):
    try:
        with server.smtp(timeout=20) as client:
            for number in range(200):
                token = f"{name}m{number}"
                # Domains of their own, so that several connections are under way.
                domain = f"d{number % 5}.example"
                recipients = [f"{local}{token}@{domain}" for local in ("one", "two", "slow", "bad")]
                recipients = recipients[: 1 + number % 4]
                letter = message(token, b"x" * 70 + b"\r\n", extra=f"X-Rig: {token}\r\n".encode())
                code, text = client.deliver(sender, recipients, letter)
                if code == 250:
                    heard[token] = (queue_id(text), recipients, time.monotonic())
    except (OSError, ValueError):
        pass  # it was killed: what was not promised is not owed


def judge(server, sink, promised):
    """What is lost, how many came twice, and which of these nothing explains."""
    lost, doubles, unexplained = [], 0, []
    for token, (item, recipients) in promised.items():
        story = None
        for address in recipients:
            times = sink.taken.get((token, address), 0)
            if times == 1:
                continue
            if server.run("trace", item).returncode != 0:
                lost.append((item, address, f"no story, and it came {times} times"))
                continue
            story = story or server.json("trace", item)
            state = next(r["state"] for r in story["recipients"] if r["address"] == address)
            if times == 0 and not (address.startswith("bad") and state == "bounced"):
                lost.append((item, address, state))
            if times > 1:
                doubles += 1
                what = [e["what"] for e in story["events"] if e["recipient"] == address]
                if what.count("interrupted") < times - 1:
                    unexplained.append((item, address, times, what))
    return lost, doubles, unexplained


def totals(server):
    return server.json("audit")


def new_sink(rig):
    sink = Sink()
    rig.at_end(sink.close)
    return sink
