//! The story of an item, as `trace` and `queue show` tell it.

use mailtypes::{Envelope, Host, ItemId, Mailbox, ReversePath, Status, Timestamp};

use crate::{Destination, Facts, Origin};

/// An item with all that happened to it.
#[derive(Clone, Debug)]
pub struct ItemView {
    /// The queue id.
    pub id: ItemId,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// What the client said of the message.
    pub envelope: Envelope,
    /// Size in octets, our added fields included.
    pub size: u64,
    /// Where it came from; `None` for a message of our own making.
    pub origin: Option<Origin>,
    /// What the decision to accept it rested on.
    pub facts: Facts,
    /// Its recipients.
    pub recipients: Vec<RecipientView>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// One recipient and where it stands.
#[derive(Clone, Debug)]
pub struct RecipientView {
    /// Its number in the item.
    pub n: u32,
    /// The final address.
    pub address: Mailbox,
    /// What the client wrote in RCPT TO.
    pub original: String,
    /// The aliases that were followed.
    pub via: Vec<Mailbox>,
    /// Where its mail goes.
    pub destination: Destination,
    /// Why it goes there.
    pub reason: String,
    /// Where it stands.
    pub state: RecipientState,
    /// When the next attempt is due.
    pub due: Option<Timestamp>,
    /// Attempts made so far.
    pub attempts: u32,
    /// What the last attempt said.
    pub status: Option<Status>,
    /// The sender was warned of the delay.
    pub told: bool,
    /// An attempt has begun under the newest lease and has not ended: it is under way while its
    /// process lives.
    pub in_hand: bool,
}

/// Where a recipient stands. The legal moves are in `docs/queue-states.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientState {
    /// Waits for its next attempt.
    Queued,
    /// Kept by an operator.
    Held,
    /// Failed for good; the sender must still be told.
    BounceOwed,
    /// End: the message lies in the mailbox or at the next host.
    Delivered,
    /// End: failed, and the sender was told.
    Bounced,
    /// End: failed, and nobody is told, for a stated reason.
    Suppressed,
    /// End: removed by a named person.
    Removed,
}

impl RecipientState {
    /// All states, with the number that the store keeps and the word that people read.
    const ALL: [(Self, i64, &'static str); 7] = [
        (Self::Queued, 0, "queued"),
        (Self::Held, 1, "held"),
        (Self::BounceOwed, 2, "bounce owed"),
        (Self::Delivered, 10, "delivered"),
        (Self::Bounced, 11, "bounced"),
        (Self::Suppressed, 12, "suppressed"),
        (Self::Removed, 13, "removed"),
    ];

    /// The number that the store keeps; 10 and above are ends.
    pub(crate) fn code(self) -> i64 {
        Self::ALL
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or(-1, |(_, code, _)| *code)
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, c, _)| *c == code)
            .map(|(state, ..)| *state)
    }

    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or("?", |(.., word)| word)
    }

    /// Whether nothing more will happen.
    pub fn is_end(self) -> bool {
        self.code() >= 10
    }
}

/// Something that happened to an item.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which recipient; `None` means the whole item.
    pub recipient: Option<u32>,
    /// What.
    pub kind: EventKind,
    /// The status of an attempt.
    pub status: Option<Status>,
    /// More for people: the way and host, or who did it.
    pub detail: String,
    /// What an attempt asked and was answered, as a JSON object.
    pub trail: Option<String>,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// An attempt that delivered: an end.
    Delivered,
    /// An attempt to be repeated.
    Deferred,
    /// An attempt that failed for good.
    Failed,
    /// Held by an operator.
    Held,
    /// Released by an operator.
    Released,
    /// Removed by an operator: an end.
    Removed,
    /// The bounce was queued: an end.
    Bounced,
    /// The bounce was suppressed: an end.
    Suppressed,
    /// An attempt under way delivered after the recipient had ended otherwise.
    DeliveredLate,
    /// The process died during an attempt, which may have arrived.
    Interrupted,
    /// What worked on it came to grief.
    Crashed,
    /// The sender was told of a delay.
    Warned,
    /// Tried at once, as an operator had it, or since it goes another way now.
    Retried,
}

impl EventKind {
    const ALL: [(Self, i64, &'static str); 13] = [
        (Self::Retried, 9, "tried at once"),
        (Self::DeliveredLate, 5, "delivered after its end"),
        (Self::Interrupted, 6, "interrupted"),
        (Self::Crashed, 7, "crashed"),
        (Self::Warned, 8, "sender warned"),
        (Self::Delivered, 10, "delivered"),
        (Self::Deferred, 1, "deferred"),
        (Self::Failed, 2, "failed"),
        (Self::Held, 3, "held"),
        (Self::Released, 4, "released"),
        (Self::Removed, 13, "removed"),
        (Self::Bounced, 11, "bounced"),
        (Self::Suppressed, 12, "suppressed"),
    ];

    /// The number that the store keeps; 10 and above end a recipient.
    pub(crate) fn code(self) -> i64 {
        Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or(-1, |(_, code, _)| *code)
    }

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, c, _)| *c == code)
            .map(|(kind, ..)| *kind)
    }

    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("?", |(.., word)| word)
    }
}

/// What an operator can do with mail in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Keep it from being delivered until it is released.
    Hold,
    /// Let what is held go, and try what waits at once.
    Release,
    /// Try what waits at once.
    Retry,
    /// End it.
    Remove,
}

/// Which items are meant: those for which all that is given holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// This one.
    pub item: Option<ItemId>,
    /// Those with open recipients at this host, and of these only such recipients.
    pub host: Option<Host>,
    /// Those of this sender.
    pub sender: Option<ReversePath>,
    /// Those accepted before.
    pub accepted_before: Option<Timestamp>,
}

/// One line of the queue list.
#[derive(Clone, Debug)]
pub struct QueueLine {
    /// The queue id.
    pub id: ItemId,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// The sender.
    pub reverse_path: ReversePath,
    /// Size in octets.
    pub size: u64,
    /// The first open recipients.
    pub recipients: Vec<RecipientView>,
    /// How many are open in all.
    pub open: u32,
}
