"""The order of system calls behind one 250: body and journal entry written, synced, reply.

The server runs under strace. For each message the octets of the body have to be forced to disk
before the reply leaves, and behind them in the same write the entry that promises it. A large body
is a file of its own: there the commit is written and synced after the body, and before the reply.
"""

import ast
import re
from pathlib import Path

from rig import main, need_program
from messages import message

CALLS = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fdatasync,fsync,sync_file_range"
WRITES = {"write", "writev", "pwrite64", "pwritev", "pwritev2"}
SYNCS = {"fdatasync", "fsync"}
IN_MEMORY = 256 * 1024  # octets; a larger body is written to a file of its own
LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
STARTED = re.compile(r"^(?P<call>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>(?P<arguments>.*)$")
RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<arguments>.*)$")
# Replies to pipelined commands may leave in one call.
GO_AHEAD = re.compile(r'(?:"|\\n)354 ')
STORED = re.compile(r'(?:"|\\n)250 2\.0\.0 .*queued as')
# As strace writes octets: with the escapes of C, which Python shares.
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
RESULT = re.compile(r"\)\s+= (?P<result>-?\d+)")


def body(rig):
    strace = need_program("strace")
    server = rig.server()
    trace = rig.folder / "trace"
    # -y names the file behind each descriptor; the line of a call that waits is cut in two.
    server.start(wrapper=[strace, "-f", "-q", "-y", "-s", "200", "-e", f"trace={CALLS}", "-o", trace])
    alice = server.add_account("alice")
    sizes = [500, 500, 3_000, 60_000, 300_000, 500, 2_000_000, 500]
    with server.smtp() as client:
        for number, size in enumerate(sizes):
            line = b"m%07d " % number * 8 + b"\r\n"
            code, text = client.deliver("a@b.example", [alice], message("x", line * (size // len(line) + 1)))
            rig.check(code == 250, f"message of {size} octets: {code} {text}")
    server.stop()
    stories = list(stories_of(read_calls(trace), str(server.data)))
    rig.check(len(stories) == len(sizes), f"{len(stories)} replies to end-of-data in the trace")
    for size, story in zip(sizes, stories):
        fault = fault_of(story, size > IN_MEMORY)
        order = "body, its sync, the commit's sync" if size > IN_MEMORY else "body and entry, their sync"
        rig.check(fault is None, f"{size} octets: {order}, then 250 {fault or ''}")
        if fault:
            for step in story:
                print(f"  {step}")
    rig.cases(len(stories))


def read_calls(trace):
    """(when, call, path, arguments): a write counts when it starts, a sync when it has succeeded."""
    waiting = {}
    for text in trace.read_text(errors="replace").splitlines():
        line = LINE.match(text)
        if not line:
            continue
        pid, rest = line["pid"], line["rest"]
        started, resumed = STARTED.match(rest), RESUMED.match(rest)
        if started:
            call = (started["call"], started["path"], started["arguments"])
            if "<unfinished" in rest:
                waiting[pid] = call
                if call[0] not in SYNCS:
                    yield call
            elif call[0] not in SYNCS or succeeded(rest):
                yield call
        elif resumed and pid in waiting:
            call = waiting.pop(pid)
            if call[0] in SYNCS and succeeded(rest):
                yield call


def succeeded(text):
    result = RESULT.search(text)
    return result is not None and result["result"] == "0"


def stories_of(calls, data):
    """For each 250 to end-of-data: what went to files of the data folder since the 354."""
    story = None
    for call, path, arguments in calls:
        if path.startswith(("socket:", "TCP")):
            if GO_AHEAD.search(arguments):
                story = []
            elif story is not None and STORED.search(arguments):
                yield story
                story = None
        elif story is not None and path.startswith(data):
            name = path[len(data) :].lstrip("/")
            story.append((step_of(call, path, arguments), name))


def step_of(call, path, arguments):
    """An entry without a body is of another moment: of the delivery of this message or the last one."""
    if call in SYNCS:
        return "sync"
    return "entry" if path.endswith(".seg") and begins_with_entry(path, arguments) else "write"


def begins_with_entry(path, arguments):
    """What marks the bodies of a segment stands in its header; entries have it turned over."""
    life = Path(path).read_bytes()[16:24]
    written = ast.literal_eval("b" + LITERAL.search(arguments)[0])
    return written[:8] == bytes(octet ^ 0xFF for octet in life)


def fault_of(story, large):
    """None when the order is right; otherwise what is wrong."""
    bodies = [step for step in story if is_body(step[1])]
    if not any(kind == "write" for kind, _ in bodies):
        return "no body was written before the reply"
    last_write = max(at for at, step in enumerate(story) if step[0] == "write" and is_body(step[1]))
    name = story[last_write][1]
    synced = [at for at, step in enumerate(story) if step == ("sync", name) and at > last_write]
    if not synced:
        return f"the reply left before {name} was synced"
    if not large:
        return None
    after = story[synced[0] :]
    logs = [at for at, step in enumerate(after) if step[0] == "write" and step[1].endswith("-wal")]
    if not logs:
        return "the reply left before the commit was written"
    if not any(step[0] == "sync" and step[1].endswith("-wal") for step in after[logs[0] :]):
        return "the reply left before the commit was synced"
    return None


def is_body(name):
    return name.startswith(("bodies/", "drafts/"))


if __name__ == "__main__":
    main(body)
