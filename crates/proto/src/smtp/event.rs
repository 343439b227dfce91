//! What the server machine says to its caller.

use mailtypes::{Envelope, ForwardPath};

use super::{ClientName, Reply};

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these octets to the client.
    Write(Vec<u8>),
    /// Look at this, and answer it when it says so.
    Event(Event),
    /// Give `input` the octets still in hand; when there are none, wait for more.
    Read,
    /// The conversation is over.
    Close,
}

/// What the client wants, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// HELO, or EHLO when `extended`. Wants an answer.
    ///
    /// The machine puts our hostname before the text of a 250 and the keywords of the extensions
    /// behind it.
    Hello {
        /// What the client calls itself.
        client: ClientName,
        /// EHLO.
        extended: bool,
    },
    /// MAIL. Wants an answer.
    Mail {
        /// The sender and what holds for the whole message.
        envelope: Envelope,
        /// The announced octets. RFC 1870 §6
        size: Option<u64>,
    },
    /// RCPT. Wants an answer.
    Rcpt {
        /// For whom.
        path: ForwardPath,
    },
    /// DATA, with a sender and at least one recipient. Wants an answer: 354 or a refusal.
    Data,
    /// A piece of body, dots unstuffed, with its line ends. No answer.
    Body(Vec<u8>),
    /// The body is complete. Wants an answer: 250 only when the message is stored.
    EndOfData(BodyFacts),
    /// The transaction and all that belongs to it is off. No answer.
    Discard,
    /// VRFY. Wants an answer.
    Verify(String),
    /// EXPN. Wants an answer.
    Expand(String),
    /// The machine refused something by itself; for the log. No answer.
    Refused {
        /// The verb, or `session`.
        command: &'static str,
        /// What the client was told.
        reply: Reply,
    },
}

/// What was seen of a body while it passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// Octets as they were handed over.
    pub size: u64,
    /// Whether an octet has its high bit set.
    pub has_8bit: bool,
    /// Octets of the longest line without its CRLF.
    pub longest_line: u64,
}
