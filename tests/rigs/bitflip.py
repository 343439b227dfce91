"""One bit of one stored body turns: `check --data` names the message, the others stay readable."""

from rig import main, wait_until
from messages import message
from server import queue_id


def body(rig):
    server = rig.server()
    server.start()
    alice = server.add_account("alice")
    items = []
    with server.smtp() as client:
        for number in range(5):
            mark = b"letter number %d speaks\r\n" % number
            reply = client.deliver("a@b.example", [alice], message(f"letter {number}", mark * 20))
            items.append(queue_id(expect_250(rig, reply)))
    wait_until(lambda: len(server.entries(alice)) == 5)
    entries = server.entries(alice)
    rig.check(server.run("check", "--data").returncode == 0, "all is well before")

    turn_one_bit(rig, server.data / "bodies", b"letter number 2 speaks")
    names_it(rig, server, items, "while it serves")
    others = [server.run("mail", "show", alice, entry["uid"]) for entry in entries]
    readable = [done.returncode == 0 and b"speaks" in done.stdout for done in others]
    rig.check(readable[:2] + readable[3:] == [True] * 4, "the other four are readable")
    rig.check(not readable[2], "the damaged one is not passed off as whole")
    server.stop()
    names_it(rig, server, items, "while it is stopped")
    server.start()
    rig.check(server.smtp().quit()[0] == 221, "it starts and serves with the damage there")


def expect_250(rig, reply):
    rig.check(reply[0] == 250, f"delivered: {reply[0]} {reply[1]}")
    return reply[1]


def names_it(rig, server, items, when):
    done = server.run("check", "--data")
    said = (done.stdout + done.stderr).decode(errors="replace")
    rig.check(done.returncode != 0, f"{when}: `check --data` says no ({done.returncode})")
    named = [item for item in items if item in said]
    rig.check(named == [items[2]], f"{when}: it names {items[2]} and no other")
    if named != [items[2]]:
        print(said)


def turn_one_bit(rig, folder, mark):
    for path in sorted(folder.iterdir()):
        at = path.read_bytes().find(mark)
        if at >= 0:
            with open(path, "r+b") as file:
                file.seek(at)
                octet = file.read(1)[0]
                file.seek(at)
                file.write(bytes([octet ^ 0x04]))
            rig.note(f"turned a bit in {path.name} at {at}")
            return
    raise RuntimeError(f"{mark!r} is in no file of {folder}")


if __name__ == "__main__":
    main(body)
