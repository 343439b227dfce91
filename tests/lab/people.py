"""The users of a room: those of the machine, of the peer's programs, and of the scenario.

The files lie in the room's own /etc; the machine's are only read.
"""

from pathlib import Path

FIRST_ID = 64100  # for the programs
FIRST_PERSON = 64500  # for mailboxes
GROUPS_ONLY = ("postdrop",)


def write_people(etc, programs, people=()):
    """Writes passwd, group, hosts and resolv.conf; answers the number of each name."""
    ids = {}
    passwd = Path("/etc/passwd").read_text().rstrip("\n").splitlines()
    group = Path("/etc/group").read_text().rstrip("\n").splitlines()
    shadow = ["root:*:19000:0:99999:7:::"]
    for first, names in ((FIRST_ID, programs), (FIRST_PERSON, people)):
        for number, name in enumerate(names, first):
            ids[name] = number
            passwd = [line for line in passwd if not line.startswith(f"{name}:")]
            group = [line for line in group if not line.startswith(f"{name}:")]
            group.append(f"{name}:x:{number}:")
            if name in GROUPS_ONLY:
                continue
            home = f"/var/home/{name}" if first == FIRST_PERSON else "/nonexistent"
            shell = "/bin/sh" if first == FIRST_PERSON else "/usr/sbin/nologin"
            passwd.append(f"{name}:x:{number}:{number}:{name}:{home}:{shell}")
            shadow.append(f"{name}:*:19000:0:99999:7:::")
    (etc / "passwd").write_text("\n".join(passwd) + "\n")
    (etc / "group").write_text("\n".join(group) + "\n")
    (etc / "shadow").write_text("\n".join(shadow) + "\n")
    (etc / "shadow").chmod(0o600)
    return ids


def write_network(etc, hostname, name_server):
    """How the room finds names: itself in hosts, all others from the name server."""
    short = hostname.split(".")[0]
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {hostname} {short}\n")
    (etc / "resolv.conf").write_text(f"nameserver {name_server}\noptions timeout:2 attempts:2\n")
    (etc / "hostname").write_text(f"{hostname}\n")
    (etc / "mailname").write_text(f"{hostname}\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n")
