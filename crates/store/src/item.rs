//! What goes into the queue, what comes out when it is due, and what came of it.

use std::net::IpAddr;
use std::ops::Range;

use mailtypes::{Envelope, ForwardPath, ItemId, Mailbox, Protocol, Status, Timestamp};

use crate::AccountId;

/// A message on its way in, without its body.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// What the client said of the whole message.
    pub envelope: Envelope,
    /// Header fields that we put in front of the body, with their CRLF.
    pub added: String,
    /// Where it came from; `None` for a message of our own making.
    pub origin: Option<Origin>,
    /// What its octets are like.
    pub shape: Shape,
    /// What the decision to accept it rested on.
    pub facts: Facts,
    /// Whom it is for: never empty.
    pub recipients: Vec<NewRecipient>,
}

/// Where a message came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub client: IpAddr,
    /// What it said in HELO or EHLO.
    pub helo: String,
    /// The protocol word.
    pub protocol: Protocol,
    /// Who logged in.
    pub login: Option<String>,
    /// TLS version and cipher.
    pub tls: Option<String>,
}

/// What the octets of a message are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Some octet is above 127.
    pub has_8bit: bool,
    /// The longest line in octets, without CRLF.
    pub longest_line: u64,
    /// The header section in octets, with the empty line.
    pub header_len: u64,
    /// Where its `Return-Path` fields stand: the delivering server replaces them.
    pub return_paths: Vec<Range<u64>>,
}

/// The facts of a decision, so that it can be judged again under another configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The form of `json`.
    pub version: u32,
    /// The facts as a JSON object.
    pub json: String,
}

/// One final recipient, aliases already followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecipient {
    /// The final address.
    pub address: Mailbox,
    /// What the client wrote in RCPT TO.
    pub original: ForwardPath,
    /// The aliases that were followed on the way, first to last.
    pub via: Vec<Mailbox>,
    /// Where its mail goes.
    pub destination: Destination,
    /// Why it goes there, for people.
    pub reason: String,
}

/// Where the mail of a recipient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Into the mailbox of an account of ours.
    Account(AccountId),
    /// To the servers of its domain.
    Remote,
}

/// The right to schedule shards of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub owner: String,
    /// Grows with each new holder and each start of a holder, not with a renewal; results carry it.
    pub epoch: i64,
    /// When it ends, unless renewed.
    pub expires: Timestamp,
}

/// The parts of the queue that are gone through apart, so that none keeps another waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What needs no network: mail for accounts of ours, and reports that are owed.
    Here,
    /// What comes for other servers, and was neither tried nor put off yet.
    Fresh,
    /// What is to be tried again there, or was put off.
    Again,
}

impl Lane {
    /// The number that the store keeps.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Here => 0,
            Self::Fresh => 1,
            Self::Again => 2,
        }
    }

    pub(crate) fn of_code(code: i64) -> Option<Self> {
        [Self::Here, Self::Fresh, Self::Again]
            .into_iter()
            .find(|lane| lane.code() == code)
    }
}

/// A place in a lane, to go on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) due: i64,
    pub(crate) item: i64,
    pub(crate) recipient: u32,
}

impl Cursor {
    /// In front of everything.
    pub(crate) const FRONT: Self = Self {
        due: i64::MIN,
        item: 0,
        recipient: 0,
    };

    /// The place of `due`.
    pub(crate) fn at(due: &Due) -> Self {
        Self {
            due: due.due.as_millis(),
            item: due.item.as_i64(),
            recipient: due.recipient,
        }
    }

    /// The place to go on from so that `due` is the first that is found.
    pub fn before(due: &Due) -> Self {
        let (item, recipient) = match due.recipient.checked_sub(1) {
            Some(recipient) => (due.item.as_i64(), recipient),
            None => (due.item.as_i64() - 1, u32::MAX),
        };
        Self {
            due: due.due.as_millis(),
            item,
            recipient,
        }
    }
}

/// Some of what is due in a lane.
#[derive(Clone, Debug)]
pub struct DuePage {
    /// Earliest first.
    pub due: Vec<Due>,
    /// Where to go on. Nothing that is accepted or becomes due later lies before it; what lies
    /// behind it may be given again.
    pub next: Option<Cursor>,
    /// When the first one of the lane becomes due of those that are not yet. Nobody has looked when
    /// the page is full or of one host.
    pub later: Option<Timestamp>,
}

/// A recipient whose next attempt is due.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row with its columns")]
pub struct Due {
    /// The item.
    pub item: ItemId,
    /// Which of its recipients.
    pub recipient: u32,
    /// The final address.
    pub address: Mailbox,
    /// Where its mail goes.
    pub destination: Destination,
    /// Since when it is due.
    pub due: Timestamp,
    /// Where it was found.
    pub lane: Lane,
    /// The envelope of the item.
    pub envelope: Envelope,
    /// Size in octets, our added fields included.
    pub size: u64,
    /// Attempts made so far.
    pub attempts: u32,
    /// When the item was accepted.
    pub accepted: Timestamp,
    /// It has failed, and its sender is owed a report.
    pub owed: bool,
    /// Its sender was warned of the delay.
    pub told: bool,
    /// It was in hand when a process died.
    pub suspect: bool,
    /// Times that its delivery has brought a worker down.
    pub strikes: u32,
    /// The address of ours that sends it on to there: the last of those that were followed.
    pub sent_on_by: Option<Mailbox>,
    /// The Maildir of its account.
    pub maildir: Option<String>,
    /// Whether some octet of the message is above 127.
    pub has_8bit: bool,
    /// Its longest line in octets, without CRLF.
    pub longest_line: u64,
}

/// Whether an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Yes: it is marked as in hand.
    Go,
    /// No: it waits no more, or not here.
    NotWaiting,
    /// No: it has brought down too many workers, and is held.
    SetAside,
}

/// What a report is about.
#[derive(Clone, Debug)]
pub struct About {
    /// The item.
    pub item: ItemId,
    /// Which of its recipients.
    pub recipients: Vec<u32>,
    /// What is said of them.
    pub kind: ReportKind,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// They have failed.
    Failure,
    /// They are late.
    Delay,
}

/// One delivery into a mailbox of ours.
#[derive(Clone, Debug)]
pub struct LocalDelivery {
    /// The item.
    pub item: ItemId,
    /// Which of its recipients.
    pub recipient: u32,
    /// Whose mailbox.
    pub account: AccountId,
    /// Which folder.
    pub folder: String,
    /// Header fields to put in front, with their CRLF.
    pub added: String,
}

/// What came of a delivery into a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalOutcome {
    /// It lies there now.
    Delivered {
        /// Its UID in the folder.
        uid: u32,
    },
    /// It lay there already: this delivery was a repetition.
    Repeated {
        /// Its UID in the folder.
        uid: u32,
    },
    /// The account is gone.
    NoAccount,
    /// The recipient is no longer waiting (held, removed or ended meanwhile).
    NotWaiting,
    /// Not now: the store says why in its log; the recipient stays due.
    Failed,
}

/// One try to pass a message on, and its outcome.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The item.
    pub item: ItemId,
    /// Which of its recipients.
    pub recipient: u32,
    /// When it began, or since when the recipient was due, as it was seen: a time that was ordered later
    /// stands.
    pub since: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
    /// By which way and host, for people.
    pub detail: String,
    /// What was asked and answered, as a JSON object.
    pub trail: Option<String>,
}

impl Attempt {
    /// About how many octets are written down of it.
    pub fn weight(&self) -> usize {
        let status = match &self.outcome {
            Outcome::Delivered(status)
            | Outcome::Deferred(status, _)
            | Outcome::Postponed(status, _)
            | Outcome::Failed(status) => status.text.len(),
            Outcome::Crashed(_) => 0,
        };
        // With the recipient, and in the history.
        2 * status + self.detail.len() + self.trail.as_ref().map_or(0, String::len)
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next host has taken it over.
    Delivered(Status),
    /// Try again at the given time.
    Deferred(Status, Timestamp),
    /// Nobody was asked, so it is no attempt: wait until the given time. Why is kept where no attempt has
    /// left a reason.
    Postponed(Status, Timestamp),
    /// Never: a bounce is owed to the sender.
    Failed(Status),
    /// What worked on it came to grief; try again at the given time, unless it has happened before.
    Crashed(Timestamp),
}
