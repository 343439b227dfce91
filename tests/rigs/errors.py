"""What goes wrong on the first day is said so that one knows what to do next."""

import socket
import sqlite3
import subprocess

from rig import main


def body(rig):
    for case in (
        unknown_key,
        wrong_value,
        not_toml,
        no_config_file,
        folder_not_writable,
        port_in_use,
        second_server,
        newer_data,
        unknown_command,
        account_errors,
    ):
        case(rig)
    rig.cases(10)


# --- configuration ---


def unknown_key(rig):
    server = rig.server("unknown-key", hostnme="mx.example.test")
    said = refuses(rig, server, "an unknown key", 78)
    line = line_of(server.config, "hostnme")
    names(rig, said, "an unknown key", "hostnme", f":{line}", "^", "hostname")


def wrong_value(rig):
    server = rig.server("wrong-value", message_size_max="fifty")
    said = refuses(rig, server, "a wrong value", 78)
    line = line_of(server.config, "message_size_max")
    names(rig, said, "a wrong value", "message_size_max", f":{line}", "^", "fifty")


def not_toml(rig):
    server = rig.server("not-toml")
    server.config.write_text("hostname = mx.example.test\n")
    said = refuses(rig, server, "a file that is not TOML", 78)
    names(rig, said, "a file that is not TOML", server.config.name, ":1", "^")


def no_config_file(rig):
    server = rig.server("no-config")
    server.config.unlink()
    said = refuses(rig, server, "no config file", 66, 78)
    names(rig, said, "no config file", str(server.config))


# --- the machine ---


def folder_not_writable(rig):
    server = rig.server("not-writable")
    server.data.write_text("a file where the folder should be")
    said = refuses(rig, server, "a data folder that cannot be", 73, 74, 77, 78)
    names(rig, said, "a data folder that cannot be", str(server.data))


def port_in_use(rig):
    server = rig.server("port-in-use")
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        said = refuses(rig, server, "a port in use", 69, 71, 75, 78)
    names(rig, said, "a port in use", f"127.0.0.1:{server.port}", "listen")


def second_server(rig):
    first = rig.server("first")
    first.start()
    second = rig.server("second", data=first.data)
    said = refuses(rig, second, "a second server on the data", 69, 75, 73)
    names(rig, said, "a second server on the data", str(first.data))
    rig.check(first.smtp().quit()[0] == 221, "the first one serves on")
    first.stop()


def newer_data(rig):
    """The number in SQLite's header that the migrations count with, far ahead of ours."""
    server = rig.server("newer-data")
    server.start()
    server.stop()
    databases = [path for path in server.data.rglob("*") if path.is_file() and is_sqlite(path)]
    if not rig.check(len(databases) > 0, "the data folder has a database"):
        return
    for path in databases:
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99999")
        database.close()
    said = refuses(rig, server, "data of a newer version", 65, 70, 73, 78)
    names(rig, said, "data of a newer version", "99999", "newer")


def is_sqlite(path):
    with open(path, "rb") as file:
        return file.read(15) == b"SQLite format 3"


# --- the command line ---


def unknown_command(rig):
    server = rig.server("command")
    done = server.run("acount", "list")
    said = (done.stdout + done.stderr).decode(errors="replace")
    rig.check(done.returncode == 64, f"an unknown command: exit code {done.returncode}, wanted 64")
    names(rig, said, "an unknown command", "account")


def account_errors(rig):
    server = rig.server("accounts")
    server.start()
    address = server.add_account("alice")
    for what, arguments in {
        "an account that exists": ["account", "add", address],
        "an account that does not": ["account", "remove", "nobody@example.test"],
        "a mailbox that does not exist": ["mail", "list", "nobody@example.test"],
    }.items():
        done = server.run(*arguments, stdin=b"correct horse battery\n")
        said = (done.stdout + done.stderr).decode(errors="replace")
        rig.check(done.returncode not in (0, 101), f"{what}: exit code {done.returncode}")
        names(rig, said, what, arguments[2])
    server.stop()


# --- helpers ---


def refuses(rig, server, what, *codes):
    """`serve` has to end by itself with one of the codes; answers all it said."""
    try:
        done = server.run("serve", timeout=15)
    except subprocess.TimeoutExpired as error:
        rig.check(False, f"{what}: the server should not start")
        return ((error.stdout or b"") + (error.stderr or b"")).decode(errors="replace")
    said = (done.stdout + done.stderr).decode(errors="replace")
    rig.check(done.returncode in codes, f"{what}: exit code {done.returncode}, wanted {codes}")
    rig.check("panicked" not in said, f"{what}: no panic")
    return said


def names(rig, said, what, *words):
    missing = [word for word in words if word not in said]
    if not rig.check(not missing, f"{what}: the message names {', '.join(words)}"):
        print(f"  without {missing}:\n{said}")


def line_of(path, key):
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(key))


if __name__ == "__main__":
    main(body)
