"""The plug is pulled in the middle of deliveries to another host."""

import time

from loop import LoopDisk
from midway import new_sink, rounds, settings
from rig import main


def body(rig):
    sink = new_sink(rig)
    disk = LoopDisk(rig, "disk", mib=1024)
    server = rig.server(data=disk.mount_point / "data", **settings(sink))

    def interrupt():
        moment = time.monotonic()
        disk.pull_the_plug()
        server.kill()
        disk.remount()
        server.start()
        return moment

    rounds(rig, server, sink, interrupt)


if __name__ == "__main__":
    main(body)
