//! What the client says.

use std::fmt::Write;

use mailtypes::{BodyType, Timestamp};

use super::{Client, Phase, Stage};
use crate::smtp::limits::RCPT_PIPELINED_MAX;

/// A command whose reply is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// None: the server speaks first.
    Greeting,
    Ehlo,
    Helo,
    Mail,
    /// For the recipient of this number.
    Rcpt(usize),
    /// Behind all recipients.
    Data,
    FinalDot,
    /// The end of a body that nobody wanted. RFC 2920 §3.1
    EmptyBody,
    Reset,
    Quit,
}

/// A command that has been said, or soon will be.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) command: Command,
    /// Where it ends, in octets of ours from the first one.
    pub(super) end: u64,
}

impl Awaited {
    pub(super) fn greeting() -> Self {
        Self {
            command: Command::Greeting,
            end: 0,
        }
    }
}

impl Command {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Greeting => Stage::Greeting,
            Self::Ehlo => Stage::Hello,
            Self::Helo => Stage::Helo,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::FinalDot | Self::EmptyBody => Stage::FinalDot,
            Self::Reset => Stage::Reset,
            Self::Quit => Stage::Quit,
        }
    }
}

impl Client {
    pub(super) fn say_hello(&mut self, extended: bool) {
        let (verb, command) = if extended {
            ("EHLO", Command::Ehlo)
        } else {
            ("HELO", Command::Helo)
        };
        let line = format!("{verb} {}", self.settings.hostname);
        self.say(&line, command);
    }

    /// MAIL, and with PIPELINING what may follow it at once. RFC 2920 §3.1
    pub(super) fn say_mail(&mut self) {
        if self.soiled {
            self.say("RSET", Command::Reset);
            if !self.capabilities.pipelining {
                return; // its reply brings us back
            }
        }
        let Some(transaction) = &self.transaction else {
            return;
        };
        let mail = &transaction.mail;
        let mut line = format!("MAIL FROM:<{}>", mail.reverse_path);
        if self.capabilities.size_offered {
            let _ = write!(line, " SIZE={}", mail.size); // RFC 1870 §6
        }
        let eight = mail.has_8bit || mail.body == BodyType::EightBitMime;
        if eight && self.capabilities.eight_bit_mime {
            line.push_str(" BODY=8BITMIME"); // RFC 6152 §3
        }
        self.say(&line, Command::Mail);
        if self.capabilities.pipelining {
            self.say_recipients(RCPT_PIPELINED_MAX);
        }
    }

    /// The next recipients; behind the last one DATA, when that may be said in the same breath.
    pub(super) fn say_recipients(&mut self, max: usize) {
        let Some(transaction) = &mut self.transaction else {
            return;
        };
        let all = transaction.mail.recipients.len();
        let some = transaction.next..all.min(transaction.next + max);
        transaction.next = some.end;
        let is_last = some.end == all;
        let lines: Vec<_> = some
            .map(|n| (n, format!("RCPT TO:<{}>", transaction.mail.recipients[n])))
            .collect();
        for (n, line) in lines {
            self.say(&line, Command::Rcpt(n));
        }
        if is_last && self.capabilities.pipelining {
            self.say("DATA", Command::Data);
        }
    }

    pub(super) fn say_data(&mut self) {
        self.say("DATA", Command::Data);
    }

    /// Ends a body that was asked for and is for nobody.
    pub(super) fn say_empty_body(&mut self) {
        self.say(".", Command::EmptyBody);
    }

    pub(super) fn say_quit(&mut self, now: Timestamp) {
        self.waiting_since = now;
        self.phase = Phase::Quitting;
        self.say("QUIT", Command::Quit);
    }

    fn say(&mut self, line: &str, command: Command) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.await_reply(command);
    }

    /// What was said last wants a reply.
    pub(super) fn await_reply(&mut self, command: Command) {
        let end = self.handed_out + self.out.len() as u64;
        self.awaited.push_back(Awaited { command, end });
    }

    /// The command as the trail has it.
    pub(super) fn in_words(&self, command: &Command) -> String {
        let transaction = self.transaction.as_ref();
        match command {
            Command::Greeting => "greeting".to_owned(),
            Command::Ehlo => "EHLO".to_owned(),
            Command::Helo => "HELO".to_owned(),
            Command::Mail => {
                let sender = transaction.map(|t| format!("MAIL FROM:<{}>", t.mail.reverse_path));
                sender.unwrap_or_else(|| "MAIL".to_owned())
            }
            Command::Rcpt(n) => {
                let address = transaction.and_then(|t| t.mail.recipients.get(*n));
                address.map_or_else(
                    || "RCPT".to_owned(),
                    |address| format!("RCPT TO:<{address}>"),
                )
            }
            Command::Data => "DATA".to_owned(),
            Command::FinalDot => "final dot".to_owned(),
            Command::EmptyBody => "final dot of nothing".to_owned(),
            Command::Reset => "RSET".to_owned(),
            Command::Quit => "QUIT".to_owned(),
        }
    }
}
