//! The recipients that somebody works on, or that wait in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mailtypes::{ItemId, Timestamp};
use store::Due;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct InHand {
    all: BTreeMap<(ItemId, u32), Mark>,
    /// Those that were dealt with while somebody looks into the queue, and since when they were
    /// due: what he has seen of them is over.
    gone: Option<BTreeMap<(ItemId, u32), Timestamp>>,
}

#[derive(Debug)]
struct Mark {
    /// Since when it was due when it was taken.
    due: Timestamp,
    /// It was due anew, and passed over.
    missed: bool,
}

impl InHand {
    /// One more; nothing when it is in hand already.
    pub(crate) fn take(&mut self, due: &Due) {
        self.all.entry(key(due)).or_insert(Mark {
            due: due.due,
            missed: false,
        });
    }

    /// Somebody looks into the queue from now on.
    pub(crate) fn look_begins(&mut self) {
        self.gone = Some(BTreeMap::new());
    }

    /// He has told what he saw.
    pub(crate) fn look_ends(&mut self) {
        self.gone = None;
    }

    /// Whether a recipient is in hand, or was when the look into the queue began; notes when it
    /// has become due anew.
    pub(crate) fn sees_again(&mut self, due: &Due) -> bool {
        let gone = self.gone.as_ref().and_then(|gone| gone.get(&key(due)));
        if gone == Some(&due.due) {
            return true;
        }
        match self.all.entry(key(due)) {
            Entry::Vacant(_) => false,
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.missed |= known.due != due.due;
                true
            }
        }
    }

    /// They go back to the queue as they are: whoever looks may take them again.
    pub(crate) fn give_back<'a>(&mut self, recipients: impl Iterator<Item = &'a Due>) {
        for due in recipients {
            self.all.remove(&key(due));
        }
    }

    /// They are in nobody's hand any more. True when one of them was due anew meanwhile and passed
    /// over.
    pub(crate) fn release<'a>(&mut self, recipients: impl Iterator<Item = &'a Due>) -> bool {
        let mut missed = false;
        for due in recipients {
            if let Some(mark) = self.all.remove(&key(due)) {
                missed |= mark.missed;
                if let Some(gone) = &mut self.gone {
                    gone.insert(key(due), mark.due);
                }
            }
        }
        missed
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether any recipient of an item is in hand.
    pub(crate) fn has_any_of(&self, item: ItemId) -> bool {
        let mut of_item = self.all.range((item, 0)..=(item, u32::MAX));
        of_item.next().is_some()
    }
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}
