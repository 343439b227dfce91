//! Messages that have just come in, kept in memory until they are opened for the first time.
//!
//! Most mail goes on at once: then nothing of it has to be looked up and read.

use std::collections::BTreeMap;
use std::sync::Mutex;

use mailtypes::ItemId;

use super::locked;
use crate::limits::FRESH_MEMORY_MAX;

/// Bounded; the oldest go first.
#[derive(Default)]
pub(crate) struct Fresh(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    messages: BTreeMap<ItemId, Message>,
    octets: usize,
}

/// What stands in front, and the body.
pub(crate) struct Message {
    pub(crate) added: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    fn len(&self) -> usize {
        self.added.len() + self.body.len()
    }
}

impl Fresh {
    pub(crate) fn put(&self, id: ItemId, message: Message) {
        let mut kept = locked(&self.0);
        kept.octets += message.len();
        kept.messages.insert(id, message);
        while kept.octets > FRESH_MEMORY_MAX
            && let Some((_, oldest)) = kept.messages.pop_first()
        {
            kept.octets -= oldest.len();
        }
    }

    /// Octets of all of them.
    pub(crate) fn octets(&self) -> usize {
        locked(&self.0).octets
    }

    /// Forgets all: what the queue has is looked for there.
    pub(crate) fn clear(&self) {
        *locked(&self.0) = Kept::default();
    }

    /// Gives a message away.
    pub(crate) fn take(&self, id: ItemId) -> Option<Message> {
        let mut kept = locked(&self.0);
        let message = kept.messages.remove(&id)?;
        kept.octets -= message.len();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let fresh = Fresh::default();
        let id = |n: i64| ItemId::from_i64(n << 20 | 1).unwrap();
        let message = || Message {
            added: "Received: x\r\n".to_owned(),
            body: vec![b'x'; FRESH_MEMORY_MAX / 4],
        };
        for n in 1..=4 {
            fresh.put(id(n), message());
        }
        assert!(fresh.take(id(1)).is_none());
        assert!(fresh.take(id(3)).is_some() && fresh.take(id(3)).is_none());
        fresh.put(id(5), message());
        assert!(fresh.take(id(2)).is_some(), "there was room again");
    }
}
