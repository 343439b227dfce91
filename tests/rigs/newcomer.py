"""The first five minutes: quickstart, three clients that people have, and the mail is there."""

import re
import smtplib
import subprocess

from rig import find_program, main, wait_until
from messages import came_back, message

ALICE, BOB = "alice@example.test", "bob@example.test"


def body(rig):
    server = rig.server()
    quickstart = [str(server.binary), "quickstart", "--data", str(server.data)]
    quickstart += ["--listen", f"127.0.0.1:{server.port}"]
    took = server.start(command=quickstart)
    rig.note(f"greeting after {took:.2f} s")
    said = server.log.read_text(errors="replace")
    rig.check(ALICE in said and BOB in said, "quickstart prints both accounts")
    rig.check(re.search(r"(?i)password", said) is not None, "and their passwords")

    # Without a config file the commands find the server by its data folder.
    server.run = lambda *arguments, **options: run_with_data(server, *arguments, **options)
    for deliver in (by_telnet, by_swaks, by_smtplib):
        deliver(rig, server)
    fan_out(rig, server)
    before = all_of(server, ALICE)
    rig.check(server.stop() == 0, "SIGTERM ends it with code 0")
    server.start(command=quickstart)
    after = all_of(server, ALICE)
    rig.check(before == after and before, "a restart keeps the mail as it was")
    rig.check(server.run("audit").returncode == 0, "the audit balances")


def run_with_data(server, *arguments, stdin=None, timeout=120):
    arguments = [argument for argument in map(str, arguments) if argument != "--data"]
    return subprocess.run(
        [str(server.binary), *arguments, "--data", str(server.data)],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
    )


def by_telnet(rig, server):
    """The real program, lines typed one after the other as each reply comes."""
    telnet = find_program("telnet", "inetutils-telnet")
    if not telnet:
        rig.skip_part("telnet", "no telnet on this machine; `cargo xtask lab` may fetch it")
        return
    process = subprocess.Popen(
        [telnet, "127.0.0.1", str(server.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    octets = message("typed by hand", b"one\r\n.two dots\r\n\r\nlast\r\n")
    lines = ["HELO me.example.net", "MAIL FROM:<me@example.net>", f"RCPT TO:<{ALICE}>", "DATA"]
    text = octets.decode().replace("\r\n.", "\r\n..").replace("\r\n", "\n") + "."
    said = []
    try:
        wait_reply(process, said)
        for line in [*lines, text, "QUIT"]:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            code = wait_reply(process, said)
        rig.check(code == "221", "telnet: every line was understood")
    finally:
        process.kill()
        process.communicate()
    arrived(rig, server, "telnet", octets)


def wait_reply(process, said):
    """The code of the last line of a reply; telnet's own chatter is passed over."""
    while True:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("telnet ended:\n" + "".join(said))
        said.append(line)
        if re.match(r"\d{3} ", line):
            return line[:3]


def by_swaks(rig, server):
    swaks = find_program("swaks")
    if not swaks:
        rig.skip_part("swaks", "no swaks on this machine; `cargo xtask lab` may fetch it")
        return
    octets = message("by swaks", b"hello\r\n")
    command = [swaks, "--server", f"127.0.0.1:{server.port}", "--from", "me@example.net"]
    command += ["--to", ALICE, "--helo", "me.example.net", "--data", "-"]
    # swaks makes CRLF of LF by itself.
    done = subprocess.run(command, input=octets.replace(b"\r\n", b"\n"), capture_output=True)
    if not rig.check(done.returncode == 0, "swaks delivers"):
        print(done.stdout.decode(errors="replace"))
    # Its reading of standard input ends the message with one line end more.
    arrived(rig, server, "swaks", octets, also=octets + b"\r\n")


def by_smtplib(rig, server):
    octets = message("by smtplib", b"hello\r\n..two dots\r\n")
    with smtplib.SMTP("127.0.0.1", server.port, timeout=30) as client:
        refused = client.sendmail("me@example.net", [ALICE], octets)
    rig.check(not refused, "smtplib delivers")
    arrived(rig, server, "smtplib", octets)


def arrived(rig, server, client, octets, also=None):
    """The message is in the mailbox of alice, as it was sent."""
    subject = re.search(rb"Subject: [^\r]*", octets).group()
    wait_until(lambda: any(subject in octets for octets in all_of(server, ALICE)), within=10)
    found = [shown for shown in all_of(server, ALICE) if subject in shown]
    if not rig.check(len(found) == 1, f"{client}: the message is in the mailbox, once"):
        return
    differs = came_back(found[0], octets)
    if differs and also:
        differs = came_back(found[0], also)
    rig.check(differs is None, f"{client}: byte for byte behind the added fields {differs or ''}")


def all_of(server, account):
    return [server.show(account, entry["uid"]) for entry in server.entries(account)]


def fan_out(rig, server):
    """Ten recipients share one stored body."""
    addresses = [server.add_account(f"reader{number}") for number in range(10)]
    before = server.json("check", "--data")["bodies"]
    with server.smtp() as client:
        code, text = client.deliver("me@example.net", addresses, message("to ten", b"x" * 50 + b"\r\n"))
    rig.check(code == 250, f"ten recipients are taken at once ({code} {text})")
    for address in addresses:
        wait_until(lambda: server.entries(address))
    counts = [len(server.entries(address)) for address in addresses]
    rig.check(counts == [1] * 10, f"each of the ten has it once {counts if counts != [1] * 10 else ''}")
    after = server.json("check", "--data")["bodies"]
    rig.check(after - before == 1, f"one body is stored for all ten ({after - before})")


if __name__ == "__main__":
    main(body)
