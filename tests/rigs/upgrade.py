"""An upgrade of the data folder is killed at every step, and meets a full disk in its copy: the next
start goes on, nothing is lost, and the database as it was is kept in one whole copy."""

import re
import shutil
import sqlite3
from pathlib import Path

from rig import CannotRun, find_program, main, wait_until

FIXTURES = Path(__file__).resolve().parents[2] / "crates/store/tests/fixtures"
OLD = [1, 2, 3]
NEWEST = 4
# What an upgrade does to files. Each call is one point to die at, before it is carried out.
CALLS = ["pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate"]
MARGIN = 16 * 1024 * 1024  # octets that an upgrade wants beside the copies


def body(rig):
    strace = find_program("strace")
    if not strace:
        raise CannotRun("no strace on this machine; `cargo xtask lab` may fetch it")
    points = 0
    for schema in OLD:
        wanted = undisturbed(rig, schema)
        points += sum(killed(rig, strace, schema, call, wanted) for call in CALLS)
        full_disk(rig, strace, schema, wanted)
    rig.cases(points)


# --- one folder ---


def on(rig, name, schema):
    """A server on a copy of the folder of a schema."""
    server = rig.server(name, domains=["example.org"], routes={"*": "127.0.0.1:1"})
    shutil.rmtree(server.data, ignore_errors=True)
    shutil.copytree(FIXTURES / f"schema-{schema}", server.data)
    server.log.unlink(missing_ok=True)
    return server


def undisturbed(rig, schema):
    """What the folder holds after an upgrade that nobody disturbs."""
    server = on(rig, f"whole{schema}", schema)
    works(server)
    return holds(server)


def works(server):
    """Starts it, lets it deliver what waits for a mailbox of its own, and stops it."""
    server.start()
    wait_until(lambda: len(server.entries("ann@example.org")) == 2)
    server.stop()


def holds(server):
    """Accounts, messages, and what became of every recipient, without the moments of attempts."""
    db = sqlite3.connect(f"file:{server.data}/postrider.db?mode=ro", uri=True)
    try:
        queries = [
            "SELECT address FROM account ORDER BY id",
            "SELECT address, targets FROM alias ORDER BY address",
            "SELECT id, reverse_path, size FROM item WHERE client IS NOT NULL ORDER BY id",
            "SELECT item, n, address FROM recipient WHERE item IN"
            " (SELECT id FROM item WHERE client IS NOT NULL) ORDER BY item, n",
            "SELECT item FROM entry ORDER BY item",
        ]
        return [db.execute(query).fetchall() for query in queries]
    finally:
        db.close()


def version(path):
    """The schema of a database that nobody has open, or None."""
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return db.execute("PRAGMA user_version").fetchone()[0]
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return None


def whole(path):
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


def copies(server):
    return sorted(server.data.glob("*backup*"))


# --- deaths ---


def killed(rig, strace, schema, call, wanted):
    """Dies at each use of one call, until a start gets past all of them. Answers how many."""
    points = 0
    for when in range(1, 10_000):
        server = on(rig, "killed", schema)
        inject = f"inject={call}:signal=SIGKILL:when={step(rig, when)}"
        if starts(server, [strace, "-f", "-q", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]):
            server.stop()
            break
        points += 1
        after_death(rig, server, schema, f"schema {schema}, {call} {step(rig, when)}", wanted)
    return points


def step(rig, when):
    """Quickly: ever further apart, so that few of them reach from the first to the last."""
    return when if not rig.quick else 1 + (when - 1) * when


def starts(server, wrapper):
    try:
        server.start(wrapper=wrapper)
        return True
    except RuntimeError:
        server.kill()
        return False


def after_death(rig, server, schema, what, wanted):
    copy = server.data / f"postrider.db.schema-{schema}.backup"
    # Reading it as another program does would change it: the server itself has to cope.
    if copy.exists():
        fine(rig, whole(copy) and version_of_copy(copy) == schema, f"{what}: the copy is whole")
    works(server)
    fine(rig, holds(server) == wanted, f"{what}: nothing is lost")
    fine(rig, copies(server) == [copy] and whole(copy), f"{what}: one copy: {copies(server)}")
    fine(rig, version_of_copy(copy) == schema, f"{what}: the copy has the old schema")
    fine(rig, version(server.data / "postrider.db") == NEWEST, f"{what}: the folder is upgraded")
    fine(rig, server.run("audit").returncode == 0, f"{what}: the audit balances")
    fine(rig, server.run("check", "--data").returncode == 0, f"{what}: every body is whole")


def version_of_copy(path):
    db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0]
    finally:
        db.close()


def fine(rig, held, what):
    """Says only what does not hold: there are hundreds."""
    if not held:
        rig.check(False, what)


# --- a full disk ---


def full_disk(rig, strace, schema, wanted):
    """The copy meets the end of the disk: the start is refused, and leaves no half copy."""
    for call, answer in [("pwrite64", "error=ENOSPC:when=5+"), ("fsync", "error=EIO")]:
        server = on(rig, "full", schema)
        unfinished = server.data / "postrider.db.backup-unfinished"
        before = holds(server)
        wrapper = [strace, "-f", "-q", "-o", rig.folder / "full.trace", "-e", f"trace={call}"]
        wrapper += ["-e", f"inject={call}:{answer}", "-P", unfinished]
        what = f"schema {schema}, {call} {answer} in the copy"
        rig.check(not starts(server, wrapper), f"{what}: the start is refused")
        hits = (rig.folder / "full.trace").read_text().count("(INJECTED)")
        rig.check(hits > 0, f"{what}: it was met")
        said = server.log.read_text(errors="replace")
        reason = "is full" if call == "pwrite64" else "could not be made"
        rig.check(reason in said and "what to do" in said, f"{what}: it says why")
        if reason not in said:
            print(said)
        rig.check(copies(server) == [], f"{what}: no half copy is left")
        rig.check(version(server.data / "postrider.db") == schema, f"{what}: the schema is the old one")
        rig.check(holds(server) == before, f"{what}: nothing is changed")
        works(server)
        rig.check(holds(server) == wanted, f"{what}: the next start goes on")
    small_disk(rig, schema)


def small_disk(rig, schema):
    """Too little room is seen before anything is done."""
    if shutil.disk_usage(rig.folder).free < 2 * MARGIN:
        raise CannotRun("there is hardly room on this disk")
    server = on(rig, "small", schema)
    database = server.data / "postrider.db"
    # A database with a long tail that is a hole on the disk: as long as half the disk and more.
    free = shutil.disk_usage(rig.folder).free
    size = database.stat().st_size
    page = int.from_bytes(front(database, 18)[16:], "big")
    pages = (free // 2) // page
    with open(database, "r+b") as file:
        file.truncate(pages * page)
        file.seek(28)
        file.write(pages.to_bytes(4, "big"))
    before = front(database, size)
    done = server.run("serve")
    said = done.stderr.decode(errors="replace")
    rig.check(done.returncode == 74, f"schema {schema}, a small disk: exit code {done.returncode}")
    told = re.search(r"needs \d+ octets", said) and re.search(r"make room for \d+ MiB more", said)
    rig.check(bool(told), f"schema {schema}, a small disk: it says how much is needed")
    if not told:
        print(said)
    rig.check(copies(server) == [], f"schema {schema}, a small disk: no copy is begun")
    unchanged = front(database, size) == before
    rig.check(unchanged, f"schema {schema}, a small disk: the database is as it was")


def front(path, size):
    with open(path, "rb") as file:
        return file.read(size)


if __name__ == "__main__":
    main(body)
