"""What the rigs share: a folder, checks, servers to start and stop, and a clean end.

A rig is a function that gets a `Rig`. It exits 0 when all checks held, 77 when it cannot run here,
1 otherwise. Every process is ended by its own id, every mount undone, the folder removed.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from server import Server

SKIPPED = 77


class CannotRun(Exception):
    """This machine lacks something that the whole rig needs."""


class Rig:
    """One run of one rig."""

    def __init__(self, name, arguments):
        self.name = name
        self.binary = Path(arguments.binary).resolve()
        self.quick = arguments.quick
        self.rounds = arguments.rounds
        self.keep = arguments.keep
        self.arguments = arguments
        self.folder = Path(tempfile.mkdtemp(prefix=f"postrider-{name}-"))
        self.failures = 0
        self._undo = []

    def check(self, held, what):
        """One thing that has to hold; says it either way."""
        print(f"{'ok' if held else 'FAIL'}: {what}", flush=True)
        if not held:
            self.failures += 1
        return held

    def note(self, text):
        print(f"note: {text}", flush=True)

    def figure(self, name, number):
        """What was measured, for whoever makes a table of it."""
        print(f"figure: {name} {number}", flush=True)

    def skip_part(self, part, reason):
        """A part of the rig that cannot run here; the rest goes on."""
        print(f"skipped: {self.name}.{part}: {reason}", flush=True)

    def cases(self, count, part=None):
        """How many cases this run, or a part of it, really went through."""
        name = f"{self.name}.{part}" if part else self.name
        print(f"cases: {name} {count}", flush=True)

    def server(self, name="server", **settings):
        """A server with its own config and data; not started yet."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        server = Server(self.binary, folder, **settings)
        self.at_end(server.kill)
        return server

    def at_end(self, action):
        """Runs `action` when the rig is over, last in first out."""
        self._undo.append(action)

    def end(self):
        for action in reversed(self._undo):
            try:
                action()
            except Exception as error:  # the other actions must run too
                print(f"note: while cleaning up: {error}", flush=True)
        if self.keep or (self.failures and os.environ.get("POSTRIDER_KEEP")):
            print(f"note: kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


def main(body, add_options=lambda parser: None):
    """Runs the rig `body`, named after its file, and exits; it may have options of its own."""
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("binary", help="the postrider binary")
    parser.add_argument("rounds", nargs="?", type=int, help="how often, where it repeats")
    parser.add_argument("--quick", action="store_true", help="a smaller form, for every day")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    add_options(parser)
    rig = Rig(Path(sys.argv[0]).stem, parser.parse_args())
    code = 1
    try:
        body(rig)
        code = 1 if rig.failures else 0
    except CannotRun as reason:
        print(f"skipped: {rig.name}: {reason}", flush=True)
        code = SKIPPED
    except BaseException:  # also on Ctrl-C: the servers must go
        traceback.print_exc(file=sys.stdout)
    finally:
        rig.end()
    print(f"{rig.name}: {'passed' if code == 0 else 'not passed'}", flush=True)
    sys.exit(code)


def find_program(*names):
    """The path of a program on PATH or in the lab, or None."""
    lab = Path(os.environ.get("POSTRIDER_LAB", "target/lab"))
    for name in names:
        found = shutil.which(name)
        if found:
            return found
        for place in ("usr/sbin", "usr/bin", "bin", "sbin"):
            if (lab / place / name).is_file():
                return str((lab / place / name).resolve())
    return None


def wait_until(held, within=30.0):
    """Whether `held` became true in that many seconds."""
    end = time.monotonic() + within
    while not held():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def need_program(name):
    found = find_program(name)
    if not found:
        raise CannotRun(f"no {name} on this machine; `cargo xtask lab` may fetch it")
    return found


def run(*command, **options):
    """A foreign command that has to work."""
    done = subprocess.run([str(part) for part in command], capture_output=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
