//! What is decided about a recipient, and what has to be known for it.

use std::collections::BTreeMap;
use std::fmt;

use mailtypes::Mailbox;
use proto::smtp::Reply;
use store::{AccountId, Listing, NewRecipient, StoreError};

/// What is decided, or must be known before.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Answer these and decide again.
    Ask(Vec<Question>),
    /// These are its final recipients: none at all when the envelope has them already.
    Accept(Routed),
    /// No.
    Refuse(RecipientRefusal),
}

/// Where the mail for an address goes.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Routed {
    /// The final recipients that the envelope does not have yet.
    pub(crate) recipients: Vec<NewRecipient>,
    /// Targets of aliases that were left out.
    pub(crate) skipped: Vec<Skipped>,
}

/// Something that the directory knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Question {
    /// What is listed under exactly this address?
    Listing(Mailbox),
    /// Which account is the oldest?
    OldestAccount,
}

/// The answers so far.
#[derive(Debug, Default)]
pub(crate) struct RecipientFacts {
    /// By folded address.
    pub(crate) listings: BTreeMap<Mailbox, Option<Listing>>,
    /// The oldest account, once that was asked.
    pub(crate) oldest: Option<Option<(AccountId, Mailbox)>>,
}

/// Why the target of an alias gets nothing, although others do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Skipped {
    /// It is no address here any more.
    NoSuchMailbox(Mailbox),
    /// It was followed before, so it may lead to itself.
    FollowedBefore(Mailbox),
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchMailbox(address) => write!(f, "{address}: no such mailbox"),
            Self::FollowedBefore(address) => write!(f, "{address}: followed before"),
        }
    }
}

/// Why an address gets no mail, or not now.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum RecipientRefusal {
    #[error("no such mailbox")]
    UnknownMailbox,
    #[error("relaying for a stranger")]
    RelayDenied,
    #[error("there is no account yet")]
    NoAccountYet,
    #[error("the alias leads to no mailbox")]
    LeadsNowhere,
    #[error("the alias leads through too many others")]
    AliasTooDeep,
    #[error("the alias is too large")]
    AliasTooLarge,
    #[error("too many recipients")]
    TooManyRecipients,
    #[error("directory lookup failed")]
    Lookup(#[from] StoreError),
    #[error("the directory takes too long")]
    LookupTimeout,
}

impl RecipientRefusal {
    /// The one place where this becomes wire text. RFC 5321 §4.2, RFC 3463 §3
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::UnknownMailbox => Reply::new(550, "5.1.1", "No such mailbox here"),
            Self::RelayDenied => Reply::new(
                550,
                "5.7.1",
                "Relaying refused: this server takes mail for its own domains only",
            ),
            // Ours to put right: never 5yz.
            Self::NoAccountYet => Reply::new(451, "4.3.5", "This server has no account yet"),
            Self::LeadsNowhere => Reply::new(
                451,
                "4.3.5",
                "This address leads to no mailbox at the moment",
            ),
            Self::AliasTooDeep => {
                Reply::new(451, "4.3.5", "This address leads through too many aliases")
            }
            Self::AliasTooLarge => {
                Reply::new(451, "4.3.5", "This address stands for too many others")
            }
            Self::TooManyRecipients => Reply::new(
                452,
                "4.5.3",
                "Too many recipients: send the others separately",
            ),
            Self::Lookup(_) | Self::LookupTimeout => Reply::new(
                451,
                "4.3.0",
                "Cannot look up this address now: try again later",
            ),
        }
    }
}
