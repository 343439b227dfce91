"""A peer that sends an octet now and then is cut off; an honest slow one is not.

The timeouts are set short, so that the rig takes seconds.
"""

import threading
import time

from rig import main

PACE = 1.0  # seconds between octets
PATIENCE = 60.0  # seconds until the rig gives up on being cut off
CUT_WITHIN = 15.0  # seconds: the timeouts are 4, and that of the session is far beyond


def body(rig):
    server = rig.server(**timeouts())
    server.start()
    alice = server.add_account("alice")
    cases = [
        ("silence after the greeting", lambda client: None),
        ("a command, octet by octet", lambda client: dribble(client, b"NOOP" + b" x" * 200)),
        ("a body, octet by octet", lambda client: (begin(client, alice), dribble(client, b"x" * 400))),
        ("silence within a body", lambda client: begin(client, alice)),
    ]
    results = {}
    threads = [
        threading.Thread(target=lambda name=name, act=act: results.update({name: cut_off(server, act)}))
        for name, act in cases
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, _ in cases:
        took, last = results[name]
        in_time = took is not None and took < CUT_WITHIN
        rig.check(in_time, f"{name}: cut off after {took or PATIENCE:.0f} s")
        rig.check(last.startswith("421"), f"{name}: and told why: {last!r}")
    with server.smtp() as client:
        for _ in range(3):
            time.sleep(1)
            rig.check(client.ask("NOOP")[0] == 250, "a person who thinks for a second is not cut off")
    rig.check(not server.entries(alice), "nothing of it was delivered")
    rig.check(slow_line(server, alice) == 250, "a body of 200 octets a second is taken")
    rig.cases(len(cases) + 1)


def timeouts():
    return {"command_timeout": "4s", "body_timeout": "4s", "session_timeout": "600s"}


def begin(client, to):
    client.ask("MAIL FROM:<a@b.example>")
    client.ask(f"RCPT TO:<{to}>")
    client.expect(354, client.ask("DATA"))


def slow_line(server, to):
    """A link of the last century, for twice the timeout of a silence."""
    with server.smtp(timeout=PATIENCE) as client:
        begin(client, to)
        for _ in range(8):
            client.send(b"x" * 66 + b"\r\n" + b"y" * 64 + b"\r\n" + b"z" * 64 + b"\r\n")
            time.sleep(PACE)
        return client.ask(".")[0]


def dribble(client, octets):
    try:
        for octet in octets:
            client.send(bytes([octet]))
            time.sleep(PACE)
    except OSError:
        pass  # cut off: what this is about


def cut_off(server, act):
    """Seconds until the server closed, and the last line it said."""
    start = time.monotonic()
    with server.smtp(timeout=PATIENCE) as client:
        worker = threading.Thread(target=act_quietly, args=(act, client))
        last = ""
        # Reading runs beside the sending; the replies to commands are read by the sender.
        worker.start()
        worker.join(PATIENCE)
        try:
            for line in client.file:
                last = line.decode("latin-1").strip()
        except ConnectionResetError:
            pass
        except TimeoutError:
            return None, last
    return time.monotonic() - start, last


def act_quietly(act, client):
    try:
        act(client)
    except OSError:
        pass


if __name__ == "__main__":
    main(body)
