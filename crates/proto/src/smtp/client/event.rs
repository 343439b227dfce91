//! What the client machine takes and what it says.

use std::fmt;
use std::time::Duration;

use mailtypes::{BodyType, Mailbox, ReversePath, Timestamp};

use super::ServerReply;

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientStep {
    /// Send these octets to the server.
    Write(Vec<u8>),
    /// Look at this.
    Event(ClientEvent),
    /// Wait for octets of the server, or for the deadline.
    Read,
    /// The conversation is over.
    Close,
}

/// How far the conversation has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The server takes mail.
    Ready,
    /// There is no session with this server.
    NotReady(SessionRefusal),
    /// Give the body now: [`super::Client::body`], [`super::Client::end_of_body`].
    WantBody,
    /// What came of each recipient, in order.
    Finished(Vec<RecipientAnswer>),
}

/// A message to be handed over.
#[derive(Clone, Debug)]
pub struct OutgoingMail {
    /// The sender.
    pub reverse_path: ReversePath,
    /// For whom: never empty.
    pub recipients: Vec<Mailbox>,
    /// Octets in all.
    pub size: u64,
    /// What was said of the body when it came to us.
    pub body: BodyType,
    /// Whether it has octets above 127.
    pub has_8bit: bool,
    /// Octets of its longest line without CRLF. Nothing is done about it: a line that came too long
    /// goes on as it is, since folding one would break what is signed or encoded in it, and most
    /// servers take it. Whoever does not, refuses it, and the sender is told.
    // todo RFC 5321 §4.5.3.1.6: a conversion that is made anyway (8-bit content) should fold it.
    pub longest_line: u64,
}

/// Where in a conversation something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before any command.
    Greeting,
    /// EHLO.
    Hello,
    /// HELO, when EHLO was not known.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// While the body went out.
    Body,
    /// The end of the body.
    FinalDot,
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

impl Stage {
    /// For people: what the server said this to.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "the connection",
            Self::Hello => "EHLO",
            Self::Helo => "HELO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Body => "the message",
            Self::FinalDot => "the end of the message",
            Self::Reset => "RSET",
            Self::Quit => "QUIT",
        }
    }
}

/// What a server answered about one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientAnswer {
    /// It has taken the message over; what it said to the end of the body.
    Accepted(ServerReply),
    /// No, or not now.
    Refused {
        /// To what it said so.
        stage: Stage,
        /// 4yz or 5yz.
        reply: ServerReply,
    },
    /// The connection ended before there was an answer.
    Lost {
        /// What was waited for.
        stage: Stage,
        /// How it ended.
        why: Lost,
        /// The whole body was sent: the message may have arrived.
        dot_sent: bool,
    },
    /// It cannot be sent to this server; nothing was tried.
    Impossible(Impossible),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The server closed it.
    Closed,
    /// No answer for so long.
    Timeout(Duration),
    /// The network failed.
    Error(String),
    /// What came is no SMTP.
    Protocol(String),
    /// It spoke when nothing had been asked: this.
    OutOfTurn(String),
    /// We had to stop.
    Stopped,
    /// Our own doing: the message could not be read to its end, or QUIT came in the middle.
    Abandoned,
}

impl Lost {
    /// With what was waited for: a sentence about a server.
    pub fn at(&self, stage: Stage) -> String {
        match (self, stage) {
            (Self::Timeout(_), Stage::Greeting) => {
                format!("{self} while we waited for its greeting")
            }
            (_, Stage::Greeting) => format!("{self} before its greeting"),
            _ => format!("{self} at {}", stage.as_str()),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the server closed the connection"),
            Self::Timeout(span) => write!(f, "no answer for {} s", span.as_secs()),
            Self::Error(error) => write!(f, "the connection broke: {error}"),
            Self::Protocol(what) => write!(f, "the server does not speak SMTP: {what}"),
            Self::OutOfTurn(what) => write!(f, "the server spoke out of turn: {what}"),
            Self::Stopped => f.write_str("this server was stopped"),
            Self::Abandoned => f.write_str("the message could not be read to its end"),
        }
    }
}

/// Why a message cannot be sent to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// The server takes smaller ones only. RFC 1870 §6.1
    TooLarge {
        /// In octets.
        limit: u64,
    },
    /// It has octets above 127, and the server takes none. RFC 6152 §3
    EightBit,
    /// It was taken as BODY=BINARYMIME, which needs a server and a way that we do not have.
    /// RFC 3030 §3
    BinaryMime,
    /// It has a CR or LF of its own, which nobody may be sent. RFC 5321 §2.3.8
    BareLineEnd,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionRefusal {
    /// The server said no.
    Refused {
        /// To the connection, or to EHLO.
        stage: Stage,
        /// What it said.
        reply: ServerReply,
    },
    /// The connection ended.
    Lost {
        /// What was waited for.
        stage: Stage,
        /// How it ended.
        why: Lost,
    },
}

/// How the caller lost the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostBy {
    /// The peer has closed it.
    Closed,
    /// The network failed, with this error.
    Error(String),
}

/// One command and what was said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The command line, or what stands for it.
    pub command: String,
    /// Nothing when the connection ended.
    pub reply: Option<ServerReply>,
    /// When it was its turn.
    pub began: Timestamp,
    /// When the reply had come.
    pub ended: Timestamp,
}
