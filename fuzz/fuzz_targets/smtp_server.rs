//! The SMTP server machine: no panic, always progress, bounded pieces. The first octet chooses
//! the settings and how the rest is cut.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use mailtypes::Timestamp;
use proto::smtp::{Event, LineEnds, Reply, Server, Settings, Step, limits};

fuzz_target!(|bytes: &[u8]| {
    let Some((&mode, script)) = bytes.split_first() else {
        return;
    };
    let line_ends = if mode & 1 == 0 {
        LineEnds::Refuse
    } else {
        LineEnds::Repair
    };
    let settings = Settings {
        line_ends,
        size_max: 2000,
        ..Settings::default()
    };
    let mut server = Server::new(Arc::new(settings), Timestamp::EPOCH);
    'all: for piece in script.chunks(usize::from(mode >> 1).max(1)) {
        let mut rest = piece;
        loop {
            match server.next() {
                Step::Write(octets) => assert!(octets.ends_with(b"\r\n")),
                Step::Event(Event::Body(body)) => {
                    assert!(!body.is_empty() && body.len() <= limits::BODY_CHUNK_MAX);
                }
                Step::Event(event) => {
                    if let Some(reply) = yes(&event) {
                        assert!(!server.wants_input());
                        server.answer(reply);
                    }
                }
                Step::Read if rest.is_empty() => break,
                Step::Read => {
                    let taken = server.input(rest, Timestamp::EPOCH);
                    assert!(taken > 0);
                    rest = &rest[taken..];
                }
                Step::Close => break 'all,
            }
        }
    }
});

fn yes(event: &Event) -> Option<Reply> {
    match event {
        Event::Hello { .. } | Event::Mail { .. } | Event::Rcpt { .. } => {
            Some(Reply::plain(250, "yes"))
        }
        Event::Data => Some(Reply::plain(354, "yes")),
        Event::EndOfData(facts) => {
            assert!(facts.size <= 2000);
            Some(Reply::plain(250, "yes"))
        }
        Event::Verify(_) | Event::Expand(_) => Some(Reply::plain(252, "perhaps")),
        Event::Body(_) | Event::Discard | Event::Refused { .. } => None,
    }
}
