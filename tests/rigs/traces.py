"""Traces arrive at a collector, and what the collector does is nothing to mail."""

import http.server
import os
import signal
import threading
import time

from rig import main
from server import free_port
from sink import Sink

LETTER = b"X-Rig: traces\r\nSubject: secret words\r\n\r\nsecret words\r\n"
SETTLE_MAX = 20.0  # seconds until what was sent has arrived
STOP_MAX = 8.0  # seconds for a stop: 3 of them for traces
STRING, INT = 1, 3  # fields of opentelemetry.proto.common.v1.AnyValue


def body(rig):
    sink = Sink()
    rig.at_end(sink.close)
    collector = Collector(200)
    rig.at_end(collector.close)
    spans_arrive(rig, sink, collector)
    nobody_is_contacted(rig, sink, collector)
    sampled(rig, sink, collector)
    port = free_port()
    goes_on(rig, sink, "a collector that is dead", f"http://127.0.0.1:{port}")
    for code in (400, 503, None):
        bad = Collector(code)
        goes_on(rig, sink, f"a collector that answers {code or 'nothing'}", bad.url)
        bad.close()
    rig.cases(32)


def server_of(rig, sink, name, **settings):
    routes = {"far.test": f"[127.0.0.1]:{sink.port}", "dead.test": f"[127.0.0.1]:{free_port()}"}
    server = rig.server(
        name, relay_networks=["127.0.0.0/8"], routes=routes, dns_servers=[f"127.0.0.1:{free_port()}"], **settings
    )
    server.start()
    server.add_account("ann")
    return server


def send(server):
    with server.smtp() as client:
        for to in (["ann@example.test"], ["x@far.test", "bad@far.test"], ["y@dead.test"], ["z@unknown.test"]):
            assert client.deliver("ann@example.test", to, LETTER)[0] == 250
        client.quit()


def spans_arrive(rig, sink, collector):
    server = server_of(rig, sink, "traced", traces_endpoint=collector.url)
    send(server)
    enough = lambda: len(collector.named("mailbox delivery")) >= 2 and len(collector.named("delivery attempt")) >= 3
    rig.check(until(enough), f"spans arrive ({sorted(span['name'] for span in collector.spans)})")
    server.stop()
    rig.check(collector.paths == {"/v1/traces"}, f"at /v1/traces ({collector.paths})")
    rig.check(b"postrider" in collector.octets, "they say which service they are of")
    rig.check(b"secret words" not in collector.octets, "no text of a message is in them")

    # The start has looked for the greeting in sessions of its own.
    held = {span["parent"] for span in collector.named("message")}
    sessions = [span for span in collector.named("smtp session") if span["id"] in held]
    rig.check(len(sessions) == 1, f"one session has messages ({len(sessions)})")
    rig.check(sessions[0]["network.peer.address"] == "127.0.0.1", "it tells its peer")
    messages = [span for span in collector.named("message") if "mail.queue_id" in span]
    rig.check([span["mail.recipients"] for span in messages] == [1, 2, 1, 1], f"four messages ({messages})")
    inside = all(span["parent"] == sessions[0]["id"] and span["trace"] == sessions[0]["trace"] for span in messages)
    rig.check(inside, "they are within the session")
    told = all(span["mail.reply_code"] == 250 and span["mail.size"] > 0 and not span["error"] for span in messages)
    rig.check(told, "they tell size and reply")
    stores = {span["parent"] for span in collector.named("store")}
    rig.check(stores == {span["id"] for span in messages}, "each waited for the store")

    ids = [span["mail.queue_id"] for span in messages]
    mailboxes = {span["mail.queue_id"] for span in collector.named("mailbox delivery")}
    rig.check(ids[0] in mailboxes, "the delivery into a mailbox has the queue id")
    attempts = {span["mail.queue_id"]: span for span in collector.named("delivery attempt")}
    rig.check(set(ids[1:]) <= set(attempts), f"so have the attempts ({attempts})")
    far, dead, unknown = (attempts[one] for one in ids[1:])
    counts = [far["postrider.delivered"], far["postrider.failed"]]
    rig.check(counts == [1, 1] and far["error"], f"one has it and one has not ({far})")
    rig.check(dead["postrider.deferred"] == 1 and dead["error"], f"nobody at the dead host ({dead})")
    (transaction,) = [span for span in collector.named("smtp transaction") if span["parent"] == far["id"]]
    at = (transaction["server.address"], transaction["network.peer.port"])
    rig.check(at == ("127.0.0.1", sink.port), f"a transaction tells the host ({at})")
    rig.check(transaction["mail.reply_code"] >= 500 and transaction["error"], f"and its no ({transaction})")
    refused = [span for span in collector.named("connect") if span["parent"] == dead["id"]]
    rig.check(len(refused) == 1 and refused[0]["error"], "the connection refused is a child")
    questions = {span["dns.question.name"] for span in collector.named("dns") if span["parent"] == unknown["id"]}
    rig.check(any("unknown.test" in name for name in questions), f"so are questions to the DNS ({questions})")


def nobody_is_contacted(rig, sink, collector):
    collector.forget()
    server = server_of(rig, sink, "untraced")
    send(server)
    server.settings["traces_endpoint"] = collector.url
    server.write_config()
    server.process.send_signal(signal.SIGHUP)
    said = lambda: "`traces_endpoint` has changed: that takes a restart" in server.log_tail()
    rig.check(until(said), "a new key takes a restart, and the log says so")
    server.stop()
    rig.check(collector.requests == 0, "without the key nobody is contacted")


def sampled(rig, sink, collector):
    collector.forget()
    os.environ.update(OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0")
    try:
        server = server_of(rig, sink, "sampled", traces_endpoint=collector.url)
    finally:
        del os.environ["OTEL_TRACES_SAMPLER"], os.environ["OTEL_TRACES_SAMPLER_ARG"]
    send(server)
    server.stop()
    rig.check(collector.requests == 0, "of a sample of none nothing is sent")


def goes_on(rig, sink, what, url):
    server = server_of(rig, sink, what, traces_endpoint=url)
    began = time.monotonic()
    send(server)
    took = time.monotonic() - began
    rig.check(took < 5, f"{what}: mail is taken as ever ({took:.2f} s)")
    warned = lambda: server.log_tail(1000).count("traces cannot be sent")
    if "nothing" not in what:
        until(lambda: warned() > 0)
        time.sleep(1.5)
        rig.check(warned() == 1, f"{what}: one warning ({warned()})")
    began = time.monotonic()
    server.stop()
    took = time.monotonic() - began
    rig.check(took < STOP_MAX, f"{what}: a stop does not wait for it ({took:.1f} s)")


def until(condition):
    end = time.monotonic() + SETTLE_MAX
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


class Collector:
    """Takes OTLP over HTTP and answers with a code, or never."""

    def __init__(self, code):
        self.code, self.ended = code, threading.Event()
        self.forget()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests += 1
                if collector.code is None:
                    collector.ended.wait()
                    return
                assert self.headers["Content-Type"] == "application/x-protobuf"
                collector.paths.add(self.path)
                collector.octets += octets
                collector.spans += spans_of(octets)
                self.send_response(collector.code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def forget(self):
        self.requests, self.paths, self.octets, self.spans = 0, set(), b"", []

    def named(self, name):
        return sorted((span for span in self.spans if span["name"] == name), key=lambda span: span["start"])

    def close(self):
        self.ended.set()
        self.http.shutdown()
        self.http.server_close()


def spans_of(octets):
    """The spans of an ExportTraceServiceRequest, with their attributes beside name, ids and error."""
    return [
        span_of(span)
        for resource in every(octets, 1)
        for scope in every(resource, 2)
        for span in every(scope, 2)
    ]


def span_of(octets):
    fields = dict(read(octets))
    span = {
        "trace": fields[1],
        "id": fields[2],
        "parent": fields.get(4, b""),
        "name": fields[5].decode(),
        "start": fields[7],
        "error": dict(read(fields.get(15, b""))).get(3) == 2,
    }
    for attribute in every(octets, 9):
        pair = dict(read(attribute))
        value = dict(read(pair[2]))
        span[pair[1].decode()] = value[STRING].decode() if STRING in value else value.get(INT, 0)
    return span


def every(octets, wanted):
    return [value for field, value in read(octets) if field == wanted]


def read(octets):
    """Fields of a protobuf message: numbers and values."""
    at = 0
    while at < len(octets):
        key, at = varint(octets, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(octets, at)
        else:
            length, at = varint(octets, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = octets[at : at + length], at + length
            if kind != 2:
                value = int.from_bytes(value, "little")
        yield key >> 3, value


def varint(octets, at):
    value = shift = 0
    while True:
        value |= (octets[at] & 0x7F) << shift
        shift += 7
        at += 1
        if octets[at - 1] < 0x80:
            return value, at


if __name__ == "__main__":
    main(body)
