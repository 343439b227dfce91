"""Ten thousand clients that say nothing: what each costs in memory, and whether others get through."""

from crowd import PER_ADDRESS, Crowd
from messages import message
from rig import main

KIB_PER_CONNECTION_MAX = 16.0


def body(rig):
    count = 1_000 if rig.quick else 10_000
    server = rig.server(**limits(count))
    server.start(files_max=count + 1_000)
    alice = server.add_account("alice")
    with server.smtp() as client:  # what a first message allocates is not idle cost
        client.deliver("a@b.example", [alice], message("first"))
    before = server.rss()
    crowd = Crowd(server.port, count)
    rig.at_end(crowd.process.kill)
    rig.check(crowd.open == count, f"{crowd.open} of {count} idle connections are greeted {crowd.problem}")
    grown = server.rss() - before
    each = grown / max(1, crowd.open)
    rig.note(f"resident memory: {before} KiB, then {grown} KiB more")
    rig.check(each <= KIB_PER_CONNECTION_MAX, f"{each:.1f} KiB for each connection")
    with server.smtp(timeout=10) as client:
        code, text = client.deliver("a@b.example", [alice], message("through the crowd"))
    rig.check(code == 250, f"a client among them is served: {code} {text}")
    crowd.leave()
    rig.check(server.stop() == 0, "and it stops cleanly")


def limits(count):
    return {"connections_max": count + 500, "connections_per_address_max": PER_ADDRESS + 50}


if __name__ == "__main__":
    main(body)
