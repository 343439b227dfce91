//! Whom the senders of late messages are to be told about, and who waits to tell them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use mailtypes::ItemId;
use tokio::sync::Notify;

use crate::limits::LATE_MAX;

/// Items whose senders are to be told of a delay.
#[derive(Debug, Default)]
pub(crate) struct Late {
    items: Mutex<BTreeSet<ItemId>>,
    added: Notify,
    /// A report waits for attempts to end.
    waiting: AtomicBool,
}

impl Late {
    /// One more. When there are too many, it is told after its next attempt.
    pub(crate) fn add(&self, item: ItemId) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() < LATE_MAX {
            items.insert(item);
        }
        self.added.notify_one();
    }

    /// Some of them.
    pub(crate) fn take(&self, max: usize) -> BTreeSet<ItemId> {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = items.iter().nth(max).copied();
        let rest = rest.map_or_else(BTreeSet::new, |first| items.split_off(&first));
        std::mem::replace(&mut *items, rest)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// A report waits until others of its item are not in hand any more.
    pub(crate) fn wait(&self) {
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Whether that is so; asked once.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.swap(false, Ordering::SeqCst)
    }

    /// There is something to do for whoever reports.
    pub(crate) fn notify(&self) {
        self.added.notify_one();
    }

    pub(crate) async fn notified(&self) {
        self.added.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use mailtypes::Timestamp;

    use super::*;

    #[test]
    fn they_are_taken_some_at_a_time() {
        let late = Late::default();
        for n in 0..5 {
            late.add(ItemId::generate(Timestamp::from_millis(n), 1));
        }
        for (max, taken) in [(0, 0), (2, 2), (2, 2), (2, 1), (2, 0)] {
            assert_eq!(late.take(max).len(), taken);
        }
    }
}
