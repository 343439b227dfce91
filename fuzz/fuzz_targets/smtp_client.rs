//! The SMTP client machine: whatever a server says, no panic, always progress, and each message ends
//! in one answer per recipient. What comes out of turn is no answer to anything. The first octet
//! chooses how the rest is cut; in the rest, octets that no server says stand for what happens on
//! our side.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mailtypes::{BodyType, Mailbox, ReversePath, Timestamp};
use proto::smtp::client::{
    Client, ClientEvent, ClientSettings, ClientStep, LostBy, OutgoingMail, RecipientAnswer,
};

/// Messages offered to one session.
const MESSAGES: usize = 3;

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, script)) = bytes.split_first() else {
        return;
    };
    let mut play = Play {
        client: Client::new(Arc::new(ClientSettings::default()), Timestamp::EPOCH),
        now: Timestamp::EPOCH,
        mode,
        sent: 0,
        finished: 0,
        dots: 0,
    };
    let mut pieces = script.chunks(usize::from(mode >> 1).max(1));
    // Bounded: there are so many pieces, and each message takes a few steps.
    for _ in 0..bytes.len() * 8 + 1000 {
        match play.client.next() {
            ClientStep::Write(octets) => assert!(!octets.is_empty()),
            ClientStep::Event(event) => play.event(event),
            ClientStep::Read => play.read(pieces.next()),
            ClientStep::Close => {
                assert_eq!(play.sent, play.finished, "a message without its answers");
                return;
            }
        }
    }
    panic!("it does not end");
});

struct Play {
    client: Client,
    now: Timestamp,
    mode: u8,
    sent: usize,
    finished: usize,
    /// Messages that were said to their end.
    dots: usize,
}

impl Play {
    fn event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Ready => self.send(),
            ClientEvent::WantBody => self.body(),
            ClientEvent::Finished(answers) => {
                assert_eq!(answers.len(), 2);
                self.finished += 1;
                for answer in answers {
                    match answer {
                        RecipientAnswer::Accepted(_) => assert!(self.dots > 0, "taken unsaid"),
                        RecipientAnswer::Lost { dot_sent, .. } => {
                            assert!(!dot_sent || self.dots > 0, "said, and was not");
                        }
                        RecipientAnswer::Refused { .. } | RecipientAnswer::Impossible(_) => {}
                    }
                }
                self.dots = 0;
                self.send();
            }
            ClientEvent::NotReady(_) => assert_eq!(self.sent, 0),
        }
    }

    /// The next message, also when half a reply stands there.
    fn send(&mut self) {
        if self.client.is_over() {
            return;
        }
        if self.sent == MESSAGES {
            return self.client.quit(self.now);
        }
        self.sent += 1;
        self.client.send(mail(self.mode & 1 == 0), self.now);
    }

    fn body(&mut self) {
        self.client.body(b".a line\r\n", self.now);
        if self.mode % 7 == 6 {
            return self.client.abandon_body(self.now);
        }
        let before = self.client.wants_body();
        self.client.end_of_body(self.now);
        let said = before && !self.client.wants_body() && !self.client.is_over();
        self.dots += usize::from(said);
    }

    fn read(&mut self, piece: Option<&[u8]>) {
        match piece {
            Some([0, ..]) => {
                self.now = self.client.deadline().min(Timestamp::from_millis(1 << 40));
                self.client.timed_out(self.now);
            }
            Some([1, ..]) => self.client.stop(self.now),
            Some([2, ..]) => self.client.unwritten(0, self.now),
            Some(piece) => drop(self.client.input(piece, self.now)),
            None => self.client.lost(LostBy::Closed, self.now),
        }
    }
}

fn mail(has_8bit: bool) -> OutgoingMail {
    OutgoingMail {
        reverse_path: ReversePath::Null,
        recipients: ["a@example.org", "b@example.org"]
            .iter()
            .filter_map(|text| Mailbox::parse(text).ok())
            .collect(),
        size: 9,
        body: BodyType::EightBitMime,
        has_8bit,
        longest_line: 7,
    }
}
