"""`kill -9` at a random moment under load: everything that got its 250 is there exactly once."""

import random
import statistics
import time

from rig import main
from load import Ledger, Senders

START_MEDIAN_MAX = 2.0  # seconds


def body(rig):
    rounds = rig.rounds or (5 if rig.quick else 20)
    server = rig.server()
    starts = [server.start()]
    ledger = Ledger([server.add_account("alice"), server.add_account("bob")])
    dice = random.Random(9)
    for number in range(1, rounds + 1):
        before = len(ledger.promised)
        senders = Senders(server, ledger)
        time.sleep(dice.uniform(0.05, 0.5))
        server.kill()
        senders.join()
        starts.append(server.start())
        new = len(ledger.promised) - before
        ledger.report(rig, server, f"kill {number} ({new} new, start {starts[-1]:.2f} s)")
    server.stop()
    starts.append(server.start())
    ledger.report(rig, server, "after a clean stop")
    check_data(rig, server)
    median = statistics.median(starts)
    rig.note(f"starts: median {median:.2f} s, longest {max(starts):.2f} s")
    rig.check(median <= START_MEDIAN_MAX, f"the median start takes at most {START_MEDIAN_MAX} s")
    rig.check(len(ledger.promised) > 0, "messages were accepted at all")
    codes = sorted({code for code, _ in ledger.refusals})
    rig.check(not [code for code in codes if code >= 500], f"no 5yz under load (refusals: {codes})")
    rig.cases(rounds)


def check_data(rig, server):
    done = server.run("check", "--data", timeout=600)
    if not rig.check(done.returncode == 0, "every body has its checksum"):
        print((done.stdout + done.stderr).decode(errors="replace"))


if __name__ == "__main__":
    main(body)
