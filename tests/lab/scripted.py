"""A host that is broken in one way: the other ways of going wrong need no program.

Usage: scripted.py JSON, where each key is a step and its value the reply; a step that is not named
gets an ordinary reply. `greeting = "silence"` takes the connection and never says a word.
"""

import json
import socketserver
import sys
import time

ORDINARY = {
    "greeting": "220 mx.scripted.test ESMTP",
    "ehlo": "250 mx.scripted.test",
    "helo": "250 mx.scripted.test",
    "mail": "250 2.1.0 OK",
    "rcpt": "250 2.1.5 OK",
    "data": "354 go on",
    "end": "250 2.0.0 taken",
    "rset": "250 2.0.0 OK",
    "noop": "250 2.0.0 OK",
    "quit": "221 2.0.0 bye",
}
SILENCE = "silence"
LINE_MAX = 65536


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


class Session(socketserver.StreamRequestHandler):
    says = ORDINARY

    def handle(self):
        if self.says["greeting"] == SILENCE:
            while self.rfile.readline(LINE_MAX):
                pass
            time.sleep(1)
            return
        self.say("greeting")
        in_body = False
        for line in self.rfile:
            if in_body:
                if line == b".\r\n":
                    in_body = False
                    self.say("end")
                continue
            verb = line.decode("latin-1").strip().lower().split(" ")[0].split(":")[0]
            reply = self.say(verb)
            if verb == "quit":
                return
            in_body = verb == "data" and reply.startswith("354")

    def say(self, step):
        reply = self.says.get(step, "502 5.5.1 no")
        self.wfile.write(reply.encode() + b"\r\n")
        return reply


def main():
    Session.says = ORDINARY | json.loads(sys.argv[1])
    with Server(("0.0.0.0", 25), Session) as server:
        server.serve_forever()


main()
