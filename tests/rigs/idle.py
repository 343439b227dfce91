"""Ten thousand clients that say nothing: what each costs in memory, and whether others get through."""

import multiprocessing
import os
import socket

from messages import message
from rig import main
from server import raise_files

KIB_PER_CONNECTION_MAX = 16.0
PER_ADDRESS = 200


def body(rig):
    count = 1_000 if rig.quick else 10_000
    server = rig.server(**limits(count))
    server.start(files_max=count + 1_000)
    alice = server.add_account("alice")
    with server.smtp() as client:  # what a first message allocates is not idle cost
        client.deliver("a@b.example", [alice], message("first"))
    before = server.rss()
    ours, theirs = multiprocessing.Pipe()
    crowd = multiprocessing.Process(target=hold, args=(server.port, count, theirs), daemon=True)
    crowd.start()
    rig.at_end(crowd.kill)
    open_now, problem = ours.recv()
    rig.check(open_now == count, f"{open_now} of {count} idle connections are greeted {problem}")
    grown = server.rss() - before
    each = grown / max(1, open_now)
    rig.note(f"resident memory: {before} KiB, then {grown} KiB more")
    rig.check(each <= KIB_PER_CONNECTION_MAX, f"{each:.1f} KiB for each connection")
    with server.smtp(timeout=10) as client:
        code, text = client.deliver("a@b.example", [alice], message("through the crowd"))
    rig.check(code == 250, f"a client among them is served: {code} {text}")
    ours.send("enough")
    crowd.join(60)
    rig.check(server.stop() == 0, "and it stops cleanly")


def limits(count):
    return {"connections_max": count + 500, "connections_per_address_max": PER_ADDRESS + 50}


def hold(port, count, pipe):
    """Another process, so that its descriptors are its own; 127.0.0.x for the limit per address."""
    raise_files(count + 100)
    held, problem = [], ""
    try:
        for number in range(count):
            source = f"127.0.{1 + number // PER_ADDRESS // 200}.{1 + number // PER_ADDRESS % 200}"
            held.append(socket.create_connection(("127.0.0.1", port), 30, (source, 0)))
            if number % 100 == 99:  # not faster than it can greet
                for peer in held[-100:]:
                    greeting = peer.recv(200)
                    if not greeting.startswith(b"220"):
                        raise OSError(f"greeted with {greeting!r}")
                    peer.sendall(b"EHLO idle.example.net\r\n")
                for peer in held[-100:]:
                    peer.recv(2000)
    except OSError as error:
        problem = f"({error})"
    pipe.send((len(held), problem))
    pipe.recv()
    os._exit(0)


if __name__ == "__main__":
    main(body)
