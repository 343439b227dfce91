//! The SMTP client machine: whatever a server says, no panic, always progress, and each message ends
//! in one answer per recipient. The first octet chooses how the rest is cut.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mailtypes::{BodyType, Mailbox, ReversePath, Timestamp};
use proto::smtp::client::{Client, ClientEvent, ClientSettings, ClientStep, LostBy, OutgoingMail};

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, script)) = bytes.split_first() else {
        return;
    };
    let now = Timestamp::EPOCH;
    let mut client = Client::new(Arc::new(ClientSettings::default()), now);
    let mut pieces = script.chunks(usize::from(mode >> 1).max(1));
    let (mut ready, mut finished) = (0, 0);
    // Bounded: there are so many pieces, and each message takes a few steps.
    for _ in 0..bytes.len() * 8 + 1000 {
        match client.next() {
            ClientStep::Write(octets) => assert!(!octets.is_empty()),
            // Half a reply that nobody has asked for stands in the way.
            ClientStep::Event(ClientEvent::Ready) if !client.is_ready() => {
                assert!(!client.is_over(), "ready, and over");
            }
            ClientStep::Event(ClientEvent::Ready) if ready < 3 => {
                ready += 1;
                client.send(mail(mode & 1 == 0), now);
            }
            ClientStep::Event(ClientEvent::Ready) => client.quit(now),
            ClientStep::Event(ClientEvent::WantBody) => {
                client.body(b".a line\r\n", now);
                client.end_of_body(now);
            }
            ClientStep::Event(ClientEvent::Finished(answers)) => {
                assert_eq!(answers.len(), 2);
                finished += 1;
            }
            ClientStep::Event(ClientEvent::NotReady(_)) => assert_eq!(ready, 0),
            ClientStep::Read => match pieces.next() {
                Some(piece) => drop(client.input(piece, now)),
                None => client.lost(LostBy::Closed, now),
            },
            ClientStep::Close => {
                assert_eq!(ready, finished, "a message without its answers");
                return;
            }
        }
    }
    panic!("it does not end");
});

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
