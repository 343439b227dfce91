use mailtypes::{Envelope, ForwardPath};
use proptest::prelude::*;

use super::*;
use crate::smtp::{BodyFacts, LineEnds};

/// A caller that says yes, except to recipients that begin with `no`.
struct Caller {
    server: Server,
    written: String,
    events: Vec<Event>,
    closed: bool,
}

impl Caller {
    fn new(mut settings: Settings) -> Self {
        settings.hostname = "mx.example.org".to_owned();
        let server = Server::new(Arc::new(settings), Timestamp::EPOCH);
        let (written, events) = (String::new(), Vec::new());
        let mut caller = Self {
            server,
            written,
            events,
            closed: false,
        };
        caller.run();
        caller
    }

    /// Does all steps up to `Read` or `Close`.
    fn run(&mut self) {
        loop {
            match self.server.next() {
                Step::Write(bytes) => self.written.push_str(str::from_utf8(&bytes).unwrap()),
                Step::Event(event) => {
                    if let Some(reply) = answer(&event) {
                        assert!(!self.server.wants_input());
                        self.server.answer(reply);
                    }
                    self.note(event);
                }
                Step::Read => return,
                Step::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Joins pieces of body, and forgets those of a body that came to nothing.
    fn note(&mut self, event: Event) {
        match (event, self.events.last_mut()) {
            (Event::Body(more), Some(Event::Body(body))) => body.extend(more),
            (Event::Discard, Some(Event::Body(_))) => {
                self.events.pop();
                self.events.push(Event::Discard);
            }
            (event, _) => self.events.push(event),
        }
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed {
            let taken = self.server.input(bytes, Timestamp::EPOCH);
            assert!(taken > 0, "Read was said and nothing taken");
            bytes = &bytes[taken..];
            self.run();
        }
    }

    fn last_line(&self) -> &str {
        self.written.lines().last().unwrap_or_default()
    }
}

fn answer(event: &Event) -> Option<Reply> {
    match event {
        Event::Hello { .. } => Some(Reply::plain(250, "hello")),
        Event::Mail { .. } => Some(Reply::new(250, "2.1.0", "sender ok")),
        Event::Rcpt { path } if path.to_string().starts_with("no") => {
            Some(Reply::new(550, "5.1.1", "no such mailbox"))
        }
        Event::Rcpt { .. } => Some(Reply::new(250, "2.1.5", "recipient ok")),
        Event::Data => Some(Reply::plain(354, "go on")),
        Event::EndOfData(_) => Some(Reply::new(250, "2.0.0", "queued")),
        Event::Verify(_) | Event::Expand(_) => Some(Reply::new(252, "2.5.0", "try it")),
        Event::Body(_) | Event::Discard | Event::Refused { .. } => None,
    }
}

/// Sends whole lines and looks at the beginning of the last line that came back.
fn check(lines: &[(&str, &str)]) {
    let mut caller = Caller::new(Settings::default());
    for (line, expect) in lines {
        caller.send(format!("{line}\r\n").as_bytes());
        assert!(
            caller.last_line().starts_with(expect),
            "{line}: {}",
            caller.last_line()
        );
    }
}

#[test]
fn commands_come_in_their_order() {
    check(&[
        ("MAIL FROM:<>", "503 5.5.1"),
        ("EHLO", "501 5.5.4"),
        ("MAIL FROM:<>", "503 5.5.1"),
        ("ehlo client.example", "250 ENHANCEDSTATUSCODES"),
        ("RCPT TO:<ann@example.org>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("MAIL FROM:<bob@example.net> ", "250 2.1.0"),
        ("MAIL FROM:<bob@example.net>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("RCPT TO:<no@example.org>", "550 5.1.1"),
        ("DATA", "554 5.5.1"),
        ("RCPT TO:<ann@example.org>", "250 2.1.5"),
        ("DATA now", "501 5.5.4"),
        ("DATA", "354"),
        (".", "250 2.0.0"),
        ("DATA", "503 5.5.1"),
        ("QUIT", "221 2.0.0"),
    ]);
}

#[test]
fn small_answers() {
    check(&[
        ("NOOP  whatever", "250 2.0.0"),
        ("HELO client", "250 mx.example.org hello"),
        ("HELP me", "214 2.0.0"),
        ("VRFY", "501 5.5.4"),
        ("VRFY ann", "252 2.5.0"),
        ("EXPN list", "252 2.5.0"),
        ("STARTTLS", "502 5.5.1"),
        ("WHAT", "500 5.5.1"),
        ("", "500 5.5.2"),
        ("NO\u{8}OP", "500 5.5.2"),
        ("NOOP \u{e4}", "500 5.5.2"),
        ("RCPT TO:<\u{e4}@example.org>", "503 5.5.1"),
        ("RSET", "250 2.0.0"),
        ("MAIL FROM:<> SIZE=99999999999", "552 5.3.4"),
        ("MAIL FROM:<> X=1", "555 5.5.4"),
        ("MAIL FROM:<> BODY=BINARYMIME", "555 5.5.4"),
        ("MAIL FROM:<\u{e4}@example.org>", "553 5.6.7"),
        ("MAIL FROM:<> SIZE=99 BODY=8BITMIME", "250 2.1.0"),
    ]);
}

#[test]
fn a_message_passes() {
    let mut caller = Caller::new(Settings::default());
    caller.send(b"EHLO c.example\r\nMAIL FROM:<bob@example.net> SIZE=9 BODY=8BITMIME\r\n");
    caller.send(b"RCPT TO:<Postmaster>\r\nDATA\r\na: b\r\n\r\n..x\r\n.\r\nQUIT\r\n");
    assert!(caller.closed);
    let from = crate::smtp::reverse_path("<bob@example.net>").unwrap().0;
    let mut envelope = Envelope::from(from);
    envelope.body = mailtypes::BodyType::EightBitMime;
    assert_eq!(
        caller.events[1..],
        [
            Event::Mail {
                envelope,
                size: Some(9)
            },
            Event::Rcpt {
                path: ForwardPath::Postmaster
            },
            Event::Data,
            Event::Body(b"a: b\r\n\r\n.x\r\n".to_vec()),
            Event::EndOfData(BodyFacts {
                size: 12,
                has_8bit: false,
                longest_line: 4
            }),
        ]
    );
}

#[test]
fn an_idle_session_is_small() {
    let mut caller = Caller::new(Settings::default());
    caller.send(START);
    caller.send(&b"some line of text\r\n".repeat(10_000));
    caller.send(b".\r\n");
    let server = &caller.server;
    assert!(size_of::<Server>() <= 512, "{}", size_of::<Server>());
    assert!(server.out.capacity() == 0 && server.events.capacity() <= 8);
}

const START: &[u8] = b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n";

#[test]
fn a_large_body_comes_in_pieces() {
    let mut caller = Caller::new(Settings::default());
    caller.send(START);
    let text = b"0123456789\r\n".repeat(20_000);
    let mut rest = &text[..];
    let mut got = Vec::new();
    while !rest.is_empty() {
        rest = &rest[caller.server.input(rest, Timestamp::EPOCH)..];
        let Step::Event(Event::Body(piece)) = caller.server.next() else {
            panic!("no body");
        };
        assert!(piece.len() <= crate::smtp::limits::BODY_CHUNK_MAX);
        got.extend(piece);
    }
    assert!(got == text);
}

#[test]
fn a_body_too_large_is_read_on_for_a_while() {
    let settings = || Settings {
        size_max: 1000,
        ..Settings::default()
    };
    let mut caller = Caller::new(settings());
    caller.send(START);
    caller.send(&[b'x'; 1001]);
    assert_eq!(caller.events.last(), Some(&Event::Discard));
    caller.send(b"\r\n.\r\n");
    assert!(caller.last_line().starts_with("552 5.3.4"));
    caller.send(START);
    caller.send(&[b'x'; 67_536]);
    assert!(caller.closed && caller.last_line().starts_with("421 4.3.0"));
}

#[test]
fn errors_are_counted() {
    let mut caller = Caller::new(Settings {
        errors_max: 3,
        ..Settings::default()
    });
    caller.send(b"A\r\nB\r\n");
    assert!(!caller.closed);
    caller.send(b"C\r\nNOOP\r\n");
    assert!(caller.closed && caller.last_line().starts_with("421 4.7.0"));
}

#[test]
fn a_server_that_stops_lets_a_body_end() {
    let mut caller = Caller::new(Settings::default());
    caller.send(START);
    caller.server.shut_down();
    caller.run();
    caller.send(b"a\r\n.\r\nNOOP\r\n");
    assert!(caller.closed && caller.written.contains("250 2.0.0 queued\r\n421 4.3.2"));
    let mut idle = Caller::new(Settings::default());
    idle.server.shut_down();
    idle.run();
    assert!(idle.closed && idle.last_line().starts_with("421 4.3.2"));
}

#[test]
fn a_server_without_more_time_says_so_within_a_body() {
    let mut caller = Caller::new(Settings::default());
    caller.send(START);
    caller.server.shut_down();
    assert!(caller.server.stop_now());
    caller.run();
    assert!(caller.closed && caller.last_line().starts_with("421 4.3.2"));
    assert!(!caller.server.stop_now(), "it is said once");
}

#[test]
fn silence_and_dribbling_end_a_session() {
    let at = |secs: i64| Timestamp::from_millis(secs * 1000);
    let mut caller = Caller::new(Settings::default());
    assert_eq!(caller.server.deadline(), at(300));
    assert_eq!(caller.server.input(b"NO", at(100)), 2);
    assert_eq!(caller.server.input(b"O", at(399)), 1);
    assert_eq!(caller.server.deadline(), at(400));
    caller.server.timed_out(at(399));
    caller.run();
    assert!(!caller.closed);
    caller.server.timed_out(at(400));
    caller.run();
    assert!(
        caller.closed
            && caller
                .last_line()
                .starts_with("421 4.4.2 No command for 5 min")
    );

    let mut caller = Caller::new(Settings::default());
    caller.send(START);
    let mut now = 0;
    while caller.server.deadline() > at(now) {
        assert_eq!(caller.server.input(b"x", at(now)), 1);
        caller.run();
        now += 1;
    }
    assert!((180..200).contains(&now), "{now}");
    caller.server.timed_out(at(now));
    caller.run();
    assert!(caller.closed);
    assert!(caller.events.contains(&Event::Discard));
}

#[test]
fn an_answer_may_end_the_session() {
    let mut server = Server::new(Arc::default(), Timestamp::EPOCH);
    assert!(matches!(server.next(), Step::Write(_)));
    assert_eq!(server.input(b"EHLO a\r\nNOOP\r\n", Timestamp::EPOCH), 8);
    assert!(matches!(server.next(), Step::Event(Event::Hello { .. })));
    assert_eq!(server.next(), Step::Read);
    server.answer(Reply::new(421, "4.7.0", "Go away"));
    assert_eq!(
        server.next(),
        Step::Write(b"421 4.7.0 Go away\r\n".to_vec())
    );
    assert_eq!(server.next(), Step::Close);
    assert_eq!(server.input(b"NOOP\r\n", Timestamp::EPOCH), 0);
    assert!(!server.has_quit());
}

#[test]
fn quit_ends_the_session() {
    let mut server = Server::new(Arc::default(), Timestamp::EPOCH);
    assert!(matches!(server.next(), Step::Write(_)));
    assert!(!server.has_quit());
    assert_eq!(server.input(b"QUIT\r\nNOOP\r\n", Timestamp::EPOCH), 6);
    assert!(server.has_quit());
    assert!(matches!(server.next(), Step::Write(octets) if octets.starts_with(b"221 2.0.0 ")));
    assert_eq!(server.next(), Step::Close);
}

fn script() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "EHLO a\r\n",
        "HELO a\r\n",
        "MAIL FROM:<>\r\n",
        "RCPT TO:<a@b>\r\n",
        "RCPT TO:<no@b>\r\n",
        "DATA\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "HELP\r\n",
        "a",
        "..",
        ".",
        "\r\n",
        "\r\n.\r\n",
        "\r",
        "\n",
        "\0",
        "\u{e4}",
        "text\r\n",
        "0123456789012345678901234567890123456789",
        "EHLO a\r\nMAIL FROM:<b@c>\r\nRCPT TO:<a@b>\r\nDATA\r\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn outcome(bytes: &[u8], cuts: &[usize], repair: bool) -> (String, Vec<Event>, bool) {
    let line_ends = if repair {
        LineEnds::Repair
    } else {
        LineEnds::Refuse
    };
    let mut caller = Caller::new(Settings {
        line_ends,
        size_max: 100,
        errors_max: 20,
        ..Settings::default()
    });
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let cut = cut.clamp(from, bytes.len());
        caller.send(&bytes[from..cut]);
        from = cut;
    }
    // A body that goes on has come as far as it came.
    if matches!(caller.events.last(), Some(Event::Body(_))) {
        caller.events.pop();
    }
    (caller.written, caller.events, caller.closed)
}

proptest! {
    #[test]
    fn splitting_input_changes_nothing(
        bytes in script(),
        mut cuts in prop::collection::vec(0usize..400, 0..12),
        repair: bool,
    ) {
        cuts.sort_unstable();
        let whole = outcome(&bytes, &[], repair);
        prop_assert_eq!(&whole, &outcome(&bytes, &cuts, repair));
        let all: Vec<usize> = (0..bytes.len()).collect();
        prop_assert_eq!(&whole, &outcome(&bytes, &all, repair));
    }

    #[test]
    fn no_octets_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        outcome(&bytes, &[], false);
        outcome(&[START, &bytes].concat(), &[], true);
    }
}
