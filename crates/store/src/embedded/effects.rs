//! What orders add to the books, and what memory has to know of them.

use mailtypes::ItemId;

/// What follows from orders; done once a turn, and undone with the order's savepoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) tally: Tally,
    /// New epochs of shards.
    pub(crate) epochs: Vec<(u8, i64)>,
    /// The directory has changed.
    pub(crate) directory: bool,
    /// Items that have let go of their message, or were put off: the copy at hand goes. Other
    /// recipients that still need it read the body log.
    pub(crate) put_away: Vec<ItemId>,
    /// Changes of live octets by segment; a segment named here without a live octet dies.
    pub(crate) live: Vec<(i64, i64)>,
}

/// Recipients by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) accepted: i64,
    pub(crate) delivered: i64,
    pub(crate) bounced: i64,
    pub(crate) suppressed: i64,
    pub(crate) removed: i64,
}

impl Tally {
    /// How many more recipients wait for their end.
    pub(crate) fn opened(&self) -> i64 {
        self.accepted - self.delivered - self.bounced - self.suppressed - self.removed
    }
}

impl Effects {
    pub(crate) fn live(&mut self, segment: i64, octets: i64) {
        match self.live.iter_mut().find(|(id, _)| *id == segment) {
            Some((_, live)) => *live = live.saturating_add(octets),
            None => self.live.push((segment, octets)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (segment, octets) in &other.live {
            self.live(*segment, *octets);
        }
        self.epochs.extend(&other.epochs);
        self.put_away.extend(&other.put_away);
        self.directory |= other.directory;
        self.tally.accepted += other.tally.accepted;
        self.tally.delivered += other.tally.delivered;
        self.tally.bounced += other.tally.bounced;
        self.tally.suppressed += other.tally.suppressed;
        self.tally.removed += other.tally.removed;
    }
}
