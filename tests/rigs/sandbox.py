"""The server works confined: by itself, and under the system calls that the unit of systemd leaves it.
No line of its log, at its most talkative, shows a password or its hash."""

import os
import re
import signal
import struct
import subprocess
import urllib.request
from pathlib import Path

from messages import message
from rig import CannotRun, find_program, main, wait_until
from server import free_port

UNIT = Path(__file__).resolve().parents[2] / "packaging/postrider.service"
NUMBERS = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]
FORGET = Path("/proc/sys/vm/drop_caches")  # 2: folders and inodes that nobody has open
EXPOSURE_MAX = 15  # tenths, as `systemd-analyze security` counts them
PASSWORD = "correct horse battery staple"


def body(rig):
    os.environ["POSTRIDER_LOG"] = "trace"
    for part, run in (("self", by_itself), ("unit", unit), ("filter", under_the_filter)):
        try:
            run(rig)
            rig.cases(1, part)
        except CannotRun as reason:
            rig.skip_part(part, str(reason))


def by_itself(rig):
    port = free_port()
    server = rig.server("itself", metrics_listen=f"127.0.0.1:{port}")
    server.start()
    knows_itself(rig, port)
    threads = [path.read_text() for path in Path(f"/proc/{server.process.pid}/task").glob("*/status")]
    rig.check(all(re.search(r"Seccomp:\s+2", status) for status in threads), "a filter of system calls is in force")
    rig.check(all(re.search(r"NoNewPrivs:\s+1", status) for status in threads), "no new privileges")
    works(rig, server, "by itself")
    said = server.log.read_text(errors="replace")
    confined = 'sandboxed files="confined" calls="denied"' in said
    if not rig.check(confined or "the kernel has no Landlock" in said, "it says what is in force"):
        print(server.log_tail())


def knows_itself(rig, port):
    """What it reads of itself can be read also when the kernel has forgotten the folder and made it anew."""
    try:
        FORGET.write_text("2")
    except OSError as error:
        rig.note(f"the kernel cannot be made to forget folders here: {error}")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
        names = {line.split()[0] for line in page.read().decode().splitlines()}
    wanted = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"}
    rig.check(wanted <= names, f"it knows its memory and processor time (not {sorted(wanted - names)})")


def works(rig, server, what):
    """All that a server does: orders, mail in and out of mailboxes, a reload, a stop."""
    account = server.add_account("alice", PASSWORD)
    with server.smtp() as client:
        code, text = client.deliver("me@example.net", [account], message("confined", b"x\r\n" * 99_999))
    rig.check(code == 250, f"{what}: a message is taken ({code} {text})")
    rig.check(wait_until(lambda: len(server.entries(account)) == 1, 10), f"{what}: it is delivered")
    server.settings["message_size_max"] = "1 MiB"
    server.write_config()
    os.kill(server.process.pid, signal.SIGHUP)
    reread = lambda: "was read anew" in server.log.read_text(errors="replace")
    rig.check(wait_until(reread, 10), f"{what}: the configuration is read anew")
    for command in (["audit"], ["check", "--data"], ["account", "list"], ["trace", account]):
        rig.check(server.run(*command).returncode == 0, f"{what}: {' '.join(command)}")
    rig.check(server.stop() == 0, f"{what}: it stops in order")
    server.start()
    rig.check(len(server.entries(account)) == 1, f"{what}: and starts again")
    rig.check(server.stop() == 0, f"{what}: and stops again")
    said = server.log.read_text(errors="replace")
    rig.check(PASSWORD not in said and "argon2id" not in said, f"{what}: no secret is in {len(said)} octets of log")


# --- the unit of systemd ---


def unit(rig):
    """What systemd itself says of the unit, on a copy that names a program which is there."""
    analyze = find_program("systemd-analyze")
    if not analyze:
        raise CannotRun("no systemd-analyze on this machine")
    copy = rig.folder / "postrider.service"
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/postrider", str(rig.binary)))
    done = subprocess.run([analyze, "verify", copy], capture_output=True, text=True)
    rig.check(done.returncode == 0 and not done.stderr, f"systemd takes the unit {done.stderr}")
    command = [analyze, "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE_MAX}", copy]
    done = subprocess.run(command, capture_output=True, text=True)
    told = re.search(r"exposure level.*: ([\d.]+)", done.stdout)
    if not told and "offline" in done.stderr:
        raise CannotRun("this systemd-analyze knows no --offline")
    rig.check(done.returncode == 0, f"its exposure is at most {EXPOSURE_MAX / 10} ({told and told.group(1)})")


def under_the_filter(rig):
    """The server itself under the calls and address families that the unit leaves to it."""
    if os.uname().machine != "x86_64":
        raise CannotRun("the numbers of system calls are known for x86-64 only")
    analyze = find_program("systemd-analyze")
    header = next((path for path in NUMBERS if os.path.exists(path)), None)
    if not analyze or not header:
        raise CannotRun("no systemd-analyze, or no header with the numbers of system calls")
    found = re.findall(r"#define __NR_(\w+)\s+(\d+)", Path(header).read_text())
    numbers = {name: int(number) for name, number in found}
    names = allowed(analyze)
    program = filter_of(sorted(numbers[name] for name in names if name in numbers), families())
    rig.note(f"{len(program) // 8} instructions for {len(names)} names of calls")
    path = rig.folder / "filter.bpf"
    path.write_bytes(program)
    server = rig.server("filtered")
    loader = [find_program("python3"), "-B", __file__, "--load", path]
    server.start(wrapper=[*loader])
    server.wrapped = False  # the loader has become the server
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    rig.check(re.search(r"Seccomp_filters:\s+3", status) is not None, "the filter of the unit is in force too")
    said = server.log.read_text(errors="replace")
    rig.check('calls="denied"' in said, "under it the server confines itself as without it")
    rig.check('files="confined"' in said or "the kernel has no Landlock" in said, "its files too")
    plain = server.start
    server.start = lambda: (plain(wrapper=loader), setattr(server, "wrapped", False))
    works(rig, server, "under the unit")


def settings_of(key):
    found = re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return [value.strip() for value in found]


def allowed(analyze):
    """The names that the lines of SystemCallFilter= leave, in their order, as systemd reads them."""
    names = expand(analyze, "@default")
    for line in settings_of("SystemCallFilter"):
        taken_away = line.startswith("~")
        for word in line.lstrip("~").split():
            names = names - expand(analyze, word) if taken_away else names | expand(analyze, word)
    return names


def expand(analyze, word):
    if not word.startswith("@"):
        return {word}
    done = subprocess.run([analyze, "syscall-filter", word], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotRun(f"systemd-analyze does not know {word}")
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    found = set()
    for line in lines:
        if line and not line.startswith("#"):
            found |= expand(analyze, line)
    return found


def families():
    import socket

    return [getattr(socket, name) for name in settings_of("RestrictAddressFamilies")[0].split()]


LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16
EPERM, EAFNOSUPPORT = 1, 97
SOCKET = 41


def filter_of(numbers, families):
    """A program of the kernel's packet filter: what is not named is not permitted, as with
    SystemCallErrorNumber=EPERM; sockets of other families have none."""
    code = [(LOAD, 0, 0, NUMBER), (JUMP_EQUAL, 0, 2 * len(families) + 2, SOCKET), (LOAD, 0, 0, FIRST_ARGUMENT)]
    for family in families:
        code += [(JUMP_EQUAL, 0, 1, int(family)), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ERRNO | EAFNOSUPPORT))
    for number in numbers:
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    code.append((RETURN, 0, 0, ERRNO | EPERM))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def load(path, command):
    """Takes a filter on and becomes the command."""
    import ctypes

    program = Path(path).read_bytes()
    buffer = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, with_filter = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.prctl(seccomp, with_filter, ctypes.byref(head)):
        raise OSError(ctypes.get_errno(), "the filter is not taken")
    os.execv(command[0], command)


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2], sys.argv[3:])
    main(body)
