//! The recipients that somebody works on, or that wait in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use mailtypes::{ItemId, Timestamp};
use store::Due;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct InHand(BTreeMap<(ItemId, u32), Mark>);

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
        self.0.entry(key(due)).or_insert(Mark {
            due: due.due,
            missed: false,
        });
    }

    /// Whether a recipient is in hand; notes when it has become due anew.
    pub(crate) fn sees_again(&mut self, due: &Due) -> bool {
        match self.0.entry(key(due)) {
            Entry::Vacant(_) => false,
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.missed |= known.due != due.due;
                true
            }
        }
    }

    /// They are in nobody's hand any more. True when one of them was due anew meanwhile and passed
    /// over.
    pub(crate) fn release<'a>(&mut self, recipients: impl Iterator<Item = &'a Due>) -> bool {
        let mut missed = false;
        for due in recipients {
            missed |= self.0.remove(&key(due)).is_some_and(|it| it.missed);
        }
        missed
    }

    /// Whether any recipient of an item is in hand.
    pub(crate) fn has_any_of(&self, item: ItemId) -> bool {
        let mut of_item = self.0.range((item, 0)..=(item, u32::MAX));
        of_item.next().is_some()
    }
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}
