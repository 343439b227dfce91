"""A hundred thousand recipients in a thousand messages: all delivered, each body stored once."""

import json
import time

from messages import message
from rig import main, wait_until

PER_MESSAGE = 100


def body(rig):
    count = 100 if rig.quick else 1_000
    server = rig.server()
    server.start()
    accounts = [server.add_account(f"reader{number:03d}") for number in range(PER_MESSAGE)]
    start = time.monotonic()
    codes = []
    with server.smtp() as client:
        for number in range(count):
            letter = message(f"letter {number}", b"%06d\r\n" % number * 100)
            codes.append(client.deliver("rig@client.example.net", accounts, letter)[0])
    took = time.monotonic() - start
    rig.check(codes == [250] * count, f"{count} messages accepted in {took:.1f} s")
    wanted = count * PER_MESSAGE
    delivered = wait_until(lambda: totals(server)["delivered"] >= wanted, within=300)
    took = time.monotonic() - start
    rig.check(delivered, f"{wanted} recipients delivered {took:.1f} s after the first connection")
    rig.check(server.run("audit", timeout=600).returncode == 0, f"the audit balances: {totals(server)}")
    bodies = server.json("check", "--data", timeout=600)["bodies"]
    rig.check(bodies == count, f"{bodies} bodies are stored for {count} messages")
    for account in (accounts[0], accounts[-1]):
        entries = server.entries(account)
        rig.check(len(entries) == count, f"{account} has {len(entries)}")
        uids = [entry["uid"] for entry in entries]
        rig.check(uids == sorted(set(uids)), f"{account}: UIDs only grow")
    rig.cases(count)


def totals(server):
    """The books of `audit`, whether they balance or not."""
    return json.loads(server.run("audit", "--json", timeout=600).stdout)


if __name__ == "__main__":
    main(body)
