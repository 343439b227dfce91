"""The plug is pulled under load: everything that got its 250 is there exactly once.

The data folder lies on an ext4 image; EXT4_IOC_SHUTDOWN without log flush drops whatever has not
been synced, as a power cut does. The journal is replayed at the next mount. A power cut that is
played is not as sudden as a real one, after which nobody hears a 250: replies from then on count no
more.
"""

import random
import time

from rig import main
from loop import LoopDisk
from load import Ledger, Senders


def body(rig):
    rounds = rig.rounds or (3 if rig.quick else 10)
    disk = LoopDisk(rig, "disk", mib=1024)
    server = rig.server(data=disk.mount_point / "data")
    server.start()
    ledger = Ledger([server.add_account("alice"), server.add_account("bob")], seed=2)
    dice = random.Random(10)
    for number in range(1, rounds + 1):
        before = len(ledger.promised)
        senders = Senders(server, ledger)
        time.sleep(dice.uniform(0.05, 0.5))
        ledger.dead = True
        disk.pull_the_plug()
        server.kill()
        senders.join()
        ledger.dead = False
        disk.remount()
        took = server.start()
        new = len(ledger.promised) - before
        ledger.report(rig, server, f"power cut {number} ({new} new, start {took:.2f} s)")
    done = server.run("check", "--data", timeout=600)
    rig.check(done.returncode == 0, "every body has its checksum")
    rig.check(len(ledger.promised) > 0, "messages were accepted at all")
    rig.check(len(ledger.promised) > 5 * ledger.late, f"{ledger.late} replies came too late to count")
    server.stop()
    rig.cases(rounds)


if __name__ == "__main__":
    main(body)
