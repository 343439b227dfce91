//! Golden transcripts: an SMTP conversation in a file, read here into steps.
//!
//! A file is run twice: against the machine ([`Machine`]) and over TCP ([`Wire`]). One step a line:
//!
//! ```text
//! # a comment
//! world  mailbox ann@example.org       somebody who gets mail
//! world  set size_max 1000             a setting of the listener
//! C: EHLO client.example.net           sends the line and CRLF
//! C! a\n.\r\n                          sends exactly this: \r \n \t \0 \\ \xNN
//! C* 200 some text                     sends the line that often
//! S: 250 exactly this line
//! S~ 250 2.1.0                         a line that begins like this
//! S... 250                             a whole reply of one or more lines with this code
//! after 5m                             moves the clock: ms, s, m, h
//! then   mailbox ann@example.org holds 1 message, last line "bye"
//! then   closed                        the server has ended the session
//! ```

mod check;
mod golden;
mod machine;
mod parse;
mod wire;

use std::time::Duration;

pub use golden::{Golden, golden};
pub use machine::Machine;
pub use parse::{BadTranscript, parse};
pub use wire::Wire;

/// One line of a transcript that does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// What to do.
    pub step: Step,
}

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `world mailbox`: this address gets mail.
    Mailbox(String),
    /// `world set`: a setting of the listener. Comes before the first octet.
    Set {
        /// As in `proto::smtp::Settings`.
        key: String,
        /// A number, or a word in lower case.
        value: String,
    },
    /// `C:`, `C!`, `C*`: the client sends these octets.
    Send(Vec<u8>),
    /// `S:`: the next line is exactly this.
    Exactly(String),
    /// `S~`: the next line begins like this.
    Begins(String),
    /// `S...`: the next lines are one reply with this code.
    Reply(String),
    /// `after`: the clock moves.
    After(Duration),
    /// `then mailbox`: what came to an address.
    Holds {
        /// Whose mailbox.
        mailbox: String,
        /// How many messages are in it.
        messages: usize,
        /// The last line of the last message, without its line end.
        last_line: Option<Vec<u8>>,
    },
    /// `then closed`: the server has ended the session, and said nothing more.
    Closed,
}
