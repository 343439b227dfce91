"""`kill -9` in the middle of deliveries to another host."""

from midway import new_sink, rounds, settings
from rig import main


def body(rig):
    sink = new_sink(rig)
    server = rig.server(**settings(sink))

    def interrupt():
        server.kill()
        server.start()

    rounds(rig, server, sink, interrupt)


if __name__ == "__main__":
    main(body)
