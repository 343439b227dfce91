"""What a server counts is what happened; the dashboard and the alerts ask for what there is."""

import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from rig import main
from server import free_port
from sink import Sink

CONTRIB = Path(__file__).resolve().parents[2] / "contrib"
LETTER = b"X-Rig: metrics\r\nSubject: metrics\r\n\r\nx\r\n"
SETTLE_MAX = 20.0  # seconds until what was sent has arrived


def body(rig):
    sink = Sink()
    rig.at_end(sink.close)
    port = free_port()
    routes = {"far.test": f"[127.0.0.1]:{sink.port}", "dead.test": f"[127.0.0.1]:{free_port()}"}
    server = rig.server(
        metrics_listen=f"127.0.0.1:{port}",
        relay_networks=["127.0.0.0/8"],
        routes=routes,
        dns_servers=[f"127.0.0.1:{free_port()}"],
    )
    server.start()
    at_start(rig, page(port))
    server.add_account("ann")
    send(server)
    counted(rig, server, port)
    asked_for(rig, page(port))
    seats(rig, port)
    restart_for_another_port(rig, server)
    rig.cases(18)


def at_start(rig, values):
    """An alert on the first crash needs a series that was 0 before it."""
    attempts = {name: value for name, value in values.items() if "delivery_attempts_total" in name}
    rig.check(len(attempts) == 15 and not any(attempts.values()), f"attempts of each kind begin at 0 ({sum(attempts.values())} of {len(attempts)})")
    reports = {name: value for name, value in values.items() if "delivery_reports_total" in name}
    rig.check(len(reports) == 3 and not any(reports.values()), f"so do reports ({sum(reports.values())} of {len(reports)})")


def send(server):
    with server.smtp() as client:
        for to in (["ann@example.test"], ["x@far.test", "bad@far.test"], ["y@dead.test"], ["z@unknown.test"]):
            assert client.deliver("ann@example.test", to, LETTER)[0] == 250
        assert client.deliver("ann@example.test", ["nobody@example.test"], LETTER)[0] == 550
        assert client.ask("XYZZY")[0] == 500
        client.quit()


def counted(rig, server, port):
    wanted = {
        "postrider_smtp_messages_accepted_total": 4,
        "postrider_smtp_recipients_accepted_total": 5,
        'postrider_smtp_refusals_total{command="RCPT",code="550",status="5.1.1"}': 1,
        'postrider_smtp_refusals_total{command="other",code="500",status="5.5.1"}': 1,
        # The report about bad@far.test goes to ann too.
        'postrider_delivery_attempts_total{destination="mailbox",outcome="delivered"}': 2,
        'postrider_delivery_attempts_total{destination="remote",outcome="delivered"}': 1,
        'postrider_delivery_attempts_total{destination="remote",outcome="failed"}': 1,
        'postrider_delivery_attempts_total{destination="remote",outcome="deferred"}': 2,
        'postrider_delivery_reports_total{kind="failure"}': 1,
        'postrider_queue_recipients{state="deferred"}': 2,
    }
    until = time.monotonic() + SETTLE_MAX
    while True:
        found = {name: page(port).get(name) for name in wanted}
        if found == wanted or time.monotonic() > until:
            break
        time.sleep(0.1)
    for name, value in wanted.items():
        rig.check(found[name] == value, f"{name} is {value} ({found[name]})")
    values = page(port)
    phases = values.get('postrider_delivery_phase_seconds_count{phase="final_dot"}')
    rig.check(phases == 1, f"one message had its final dot answered ({phases})")
    groups = values.get("postrider_store_group_orders_count", 0)
    syncs = values.get("postrider_store_sync_seconds_count", 0)
    rig.check(groups == syncs >= 3, f"each group had its sync ({groups}, {syncs})")
    slow = values["postrider_store_sync_seconds_sum"]
    rig.check(0 < slow < 60, f"syncs took {slow:.4f} s")


def asked_for(rig, values):
    """Every name in contrib is on the page."""
    there = {re.match(r"\w+", name)[0] for name in values}
    asked = set()
    for file in ("grafana/postrider.json", "prometheus/postrider.rules.yml"):
        text = (CONTRIB / file).read_text()
        asked |= set(re.findall(r"\b(?:postrider|process)_\w+", text))
    json.loads((CONTRIB / "grafana/postrider.json").read_text())
    missing = sorted(asked - there)
    rig.check(len(asked) > 15 and not missing, f"all {len(asked)} names are there ({missing})")


def seats(rig, port):
    """Who connects and says nothing keeps nobody out for long."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
    try:
        rig.check(len(page(port)) > 50, "the page comes while others are silent")
    finally:
        for one in silent:
            one.close()


def restart_for_another_port(rig, server):
    server.settings["metrics_listen"] = f"127.0.0.1:{free_port()}"
    server.write_config()
    server.process.send_signal(1)
    until = time.monotonic() + SETTLE_MAX
    said = lambda: "`metrics_listen` has changed: that takes a restart" in server.log_tail()
    while not said() and time.monotonic() < until:
        time.sleep(0.05)
    rig.check(said(), "another port takes a restart, and the log says so")


def page(port):
    """Series to value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    assert lines[-1] == "# EOF", lines[-1]
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


if __name__ == "__main__":
    main(body)
