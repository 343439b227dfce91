//! What `audit` and `check` found.

use mailtypes::ItemId;

/// The books of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Counted from the rows that are still kept, and from daily totals for all time.
    pub totals: Totals,
    /// What does not fit; empty means that the books balance.
    pub problems: Vec<Problem>,
}

/// Recipients of all time, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accepted recipients.
    pub accepted: u64,
    /// Delivered.
    pub delivered: u64,
    /// Failed, and the sender was told.
    pub bounced: u64,
    /// Failed, and nobody was told, for a stated reason.
    pub suppressed: u64,
    /// Removed by a person.
    pub removed: u64,
    /// Still open.
    pub open: u64,
}

impl Totals {
    /// Whether every accepted recipient has exactly one end or is open.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.bounced + self.suppressed + self.removed + self.open
    }
}

/// What a reading of the whole body log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Bodies read.
    pub bodies: u64,
    /// Octets read.
    pub octets: u64,
    /// What is damaged.
    pub problems: Vec<Problem>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The item that it touches, if one.
    pub item: Option<ItemId>,
    /// What is wrong, for people.
    pub text: String,
}
