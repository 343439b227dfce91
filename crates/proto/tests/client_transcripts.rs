//! Golden transcripts of the SMTP client: each file in `transcripts_client` is played with the
//! server's octets whole, in threes and one by one.
//!
//! `S:` the server says a line, `S=` the same with escapes and without CRLF, `C:` the client has said
//! this line, `E:` the client has told this. Whatever was said or told must be named before the
//! server goes on. `send FLAG SIZE FROM TO…` begins a message with FLAG 7bit, said8, 8bit or binary;
//! `body`, `dot`, `abandon`, `quit`, `close`, `after SECONDS` do what they say.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "all of this is test code, and the number of cases is counted"
)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::{BodyType, Mailbox, ReversePath, Timestamp};
use proto::smtp::client::{
    Client, ClientEvent, ClientSettings, ClientStep, LostBy, OutgoingMail, RecipientAnswer,
    SessionRefusal,
};

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts_client");
    let mut played = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for step in [usize::MAX, 3, 1] {
            Play::new(step).run(&text, &path.display().to_string());
        }
        played += 1;
    }
    println!("cases: transcripts_client {played}");
    assert!(played > 0);
}

#[test]
fn what_has_not_gone_out_has_no_answer() {
    for (unwritten, dot_sent, accepted) in [(0, true, true), (1, false, false)] {
        let mut play = Play::new(usize::MAX);
        for line in ["220 hi", "250 s.example"] {
            play.server_says(format!("{line}\r\n").as_bytes());
            play.pump();
        }
        play.client.send(mail("7bit 4 <> a@x.example"), play.now);
        play.pump();
        for line in ["250 ok", "250 ok", "354 go"] {
            play.server_says(format!("{line}\r\n").as_bytes());
            play.pump();
        }
        play.client.body(b"hi\r\n", play.now);
        play.client.end_of_body(play.now);
        assert!(
            matches!(play.client.next(), ClientStep::Write(octets) if octets == b"hi\r\n.\r\n")
        );
        play.client.unwritten(unwritten, play.now);
        play.server_says(b"250 taken\r\n");
        play.told.clear();
        play.pump();
        let told = play.told.pop_front().unwrap();
        assert_eq!(told.contains("accepted"), accepted, "{told}");
        assert_eq!(told.contains("dot false"), !dot_sent, "{told}");
    }
}

struct Play {
    client: Client,
    now: Timestamp,
    step: usize,
    said: Vec<u8>,
    told: VecDeque<String>,
    over: bool,
}

impl Play {
    fn new(step: usize) -> Self {
        let settings = ClientSettings {
            hostname: "c.example".to_owned(),
            ..ClientSettings::default()
        };
        Self {
            client: Client::new(Arc::new(settings), Timestamp::EPOCH),
            now: Timestamp::EPOCH,
            step,
            said: Vec::new(),
            told: VecDeque::new(),
            over: false,
        }
    }

    fn run(&mut self, text: &str, name: &str) {
        for (n, line) in text.lines().enumerate() {
            let place = format!("{name}:{} in steps of {}", n + 1, self.step);
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "" | "#" => continue,
                "C:" => assert_eq!(self.line_said().as_deref(), Some(rest), "{place}"),
                "E:" => assert_eq!(self.told.pop_front().as_deref(), Some(rest), "{place}"),
                _ => {
                    self.nothing_left(&place);
                    self.act(word, rest, &place);
                    self.pump();
                }
            }
        }
        self.nothing_left(name);
    }

    fn act(&mut self, word: &str, rest: &str, place: &str) {
        match word {
            "S:" => self.server_says(format!("{rest}\r\n").as_bytes()),
            "S=" => self.server_says(&unescape(rest)),
            "send" => self.client.send(mail(rest), self.now),
            "body" => self.client.body(&unescape(rest), self.now),
            "dot" => self.client.end_of_body(self.now),
            "abandon" => self.client.abandon_body(self.now),
            "quit" => self.client.quit(self.now),
            "close" => self.client.lost(LostBy::Closed, self.now),
            "after" => {
                self.now = self.now + Duration::from_secs(rest.parse().unwrap());
                self.client.timed_out(self.now);
            }
            _ => panic!("{place}: `{word}`?"),
        }
    }

    fn server_says(&mut self, octets: &[u8]) {
        for piece in octets.chunks(self.step.min(octets.len())) {
            self.client.input(piece, self.now);
        }
    }

    fn pump(&mut self) {
        loop {
            match self.client.next() {
                ClientStep::Write(octets) => self.said.extend(octets),
                ClientStep::Event(event) => self.told.push_back(event_text(event)),
                ClientStep::Read => return,
                ClientStep::Close => {
                    if !std::mem::replace(&mut self.over, true) {
                        self.told.push_back("over".to_owned());
                    }
                    return;
                }
            }
        }
    }

    fn line_said(&mut self) -> Option<String> {
        let end = self.said.windows(2).position(|two| two == b"\r\n")?;
        let line = self.said.drain(..end + 2).collect::<Vec<_>>();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn nothing_left(&self, place: &str) {
        let said = String::from_utf8_lossy(&self.said);
        assert!(said.is_empty(), "{place}: the client has said {said:?}");
        assert!(self.told.is_empty(), "{place}: told {:?}", self.told);
    }
}

fn mail(text: &str) -> OutgoingMail {
    let mut words = text.split(' ');
    let flag = words.next().unwrap();
    let size = words.next().unwrap().parse().unwrap();
    let reverse_path = match words.next().unwrap() {
        "<>" => ReversePath::Null,
        address => ReversePath::Mailbox(Mailbox::parse(address).unwrap()),
    };
    OutgoingMail {
        reverse_path,
        recipients: words.map(|word| Mailbox::parse(word).unwrap()).collect(),
        size,
        body: match flag {
            "7bit" => BodyType::SevenBit,
            "binary" => BodyType::BinaryMime,
            _ => BodyType::EightBitMime,
        },
        has_8bit: flag == "8bit",
        longest_line: 80,
    }
}

fn event_text(event: ClientEvent) -> String {
    match event {
        ClientEvent::Ready => "ready".to_owned(),
        ClientEvent::WantBody => "want body".to_owned(),
        ClientEvent::NotReady(SessionRefusal::Refused { stage, reply }) => {
            format!("not ready, {stage:?}: {reply}")
        }
        ClientEvent::NotReady(SessionRefusal::Lost { stage, why }) => {
            format!("not ready, {stage:?} lost: {why}")
        }
        ClientEvent::Finished(answers) => {
            let texts: Vec<_> = answers.iter().map(answer_text).collect();
            format!("finished [{}]", texts.join(" | "))
        }
    }
}

fn answer_text(answer: &RecipientAnswer) -> String {
    match answer {
        RecipientAnswer::Accepted(reply) => format!("accepted {reply}"),
        RecipientAnswer::Refused { stage, reply } => format!("{stage:?} refused {reply}"),
        RecipientAnswer::Lost {
            stage,
            why,
            dot_sent,
        } => format!("{stage:?} lost, dot {dot_sent}: {why}"),
        RecipientAnswer::Impossible(why) => format!("impossible {why:?}"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\r", "\r").replace("\\n", "\n");
    text.replace("\\0", "\0").into_bytes()
}
