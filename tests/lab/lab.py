"""A small internet on one machine: scenarios with Postrider and foreign mailers, in namespaces.

Prints a line per case and the matrices; exits 0 when all went well, 77 when it cannot run here.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import interop
import peers
from room import Wire
from scenario import Scenario
from stage import Context, Stage

SKIPPED = 77
HERE = Path(__file__).parent


def main():
    sys.stdout.reconfigure(line_buffering=True)
    arguments = parse()
    scenarios = [Scenario(path) for path in chosen(arguments.names)]
    if arguments.list:
        for scenario in scenarios:
            print(f"{scenario.name}: {scenario.title}. {len(scenario.mails)} mails")
        return 0
    reason = cannot_run(arguments.peers)
    if reason:
        print(f"skipped: lab: {reason}")
        return SKIPPED
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="postrider-lab-"))
    folder.chmod(0o755)  # the mailers' own users go through it
    results = interop.Results()
    try:
        for scenario in scenarios:
            run(scenario, arguments, folder, results)
    finally:
        keep = results.failed or arguments.keep
        print(f"note: logs are in {folder}") if keep else shutil.rmtree(folder, ignore_errors=True)
    print(results.matrices(), end="")
    for line in results.skip_lines():
        print(line)
    print(f"cases: lab {results.passed + results.failed}")
    if arguments.write:
        interop.write(arguments.write, results)
    return 1 if results.failed else 0


def run(scenario, arguments, folder, results):
    """One scenario; whatever happens, its rooms are closed."""
    context = Context(arguments.binary.resolve(), arguments.peers.resolve(), folder / scenario.name)
    context.folder.mkdir()
    take_out_what_is_missing(scenario, context, results)
    if not scenario.mails:
        return
    stage = Stage(context, scenario)
    try:
        stage.open()
        results.learn_versions(stage.peers)
        stage.play(lambda watch: results.take(scenario, watch, context.folder))
    except (RuntimeError, OSError) as error:
        traceback.print_exc(file=sys.stdout)
        results.broken(scenario, str(error), context.folder)
    finally:
        stage.close()


def take_out_what_is_missing(scenario, context, results):
    """Peers that are not unpacked: loudly, and counted."""
    missing = [
        host.name
        for host in scenario.hosts.values()
        if host.is_mailer and not unpacked(context, peers.PROGRAMS[host.program].package)
    ]
    for name in missing:
        results.missing(name, "not unpacked; run `cargo xtask lab unpack`")
    results.skipped(scenario, missing, scenario.without(missing))


def unpacked(context, package):
    return package is None or (context.peers / package / "usr").is_dir()


def cannot_run(folder):
    if os.geteuid() != 0:
        return "namespaces and mounts need root"
    for program in ("unshare", "nsenter", "ip", "mount"):
        if not shutil.which(program):
            return f"no {program} on this machine"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlay file system"
    if not (folder / "nsd" / "usr").is_dir():
        return "LAB WITHOUT nsd: run `cargo xtask lab unpack`"
    return no_rooms()


def no_rooms():
    """Why this machine gives us no namespaces, as a container may not; None when it does."""
    with tempfile.TemporaryDirectory(prefix="postrider-lab-") as folder:
        try:
            wire = Wire(folder)
        except (RuntimeError, OSError) as error:
            return "no namespaces here: " + str(error).splitlines()[-1]
        wire.close()
    return None


def chosen(wanted):
    """The files whose name begins with one of the words; all without a word."""
    files = sorted((HERE / "scenarios").glob("*.toml"))
    found = [file for file in files if not wanted or any(file.stem.startswith(word) for word in wanted)]
    if not found:
        sys.exit(f"no scenario begins with {' or '.join(wanted)}")
    return found


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path, help="the postrider binary")
    parser.add_argument("peers", type=Path, help="the folder with the unpacked mailers")
    parser.add_argument("names", nargs="*", help="beginnings of scenarios' names")
    parser.add_argument("--list", action="store_true", help="only say which there are")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    parser.add_argument("--write", type=Path, help="put the matrices into this document")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    sys.exit(main())
