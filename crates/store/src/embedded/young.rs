//! Messages that have come in since the last commit and have no rows yet.
//!
//! Most mail goes on at once. What the journal has of such a message is kept here, and is carried out
//! when a commit comes, or somebody who needs the rows. If it has been delivered before, its rows are
//! written once, as they are in the end, and those that would be gone again are never made.

use std::collections::BTreeMap;

use mailtypes::ItemId;
use rusqlite::Connection;

use super::effects::Effects;
use super::journal::pieces::{self, ReplayError};
use super::journal::redo::Redo;
use crate::body_log::Place;
use crate::item::Due;
use crate::limits::YOUNG_MAX;
use crate::spans::Spans;
use crate::{Lane, StoreError};

mod entries;

/// Forgotten whenever the transaction begins anew, which then has the rows of all.
#[derive(Default)]
pub(crate) struct Young {
    messages: BTreeMap<ItemId, Message>,
    /// The rows of one were made in part. What the transaction holds is of no use any more.
    torn: bool,
}

/// A message for one recipient, who waits to be reached elsewhere.
pub(crate) struct Message {
    /// What the journal has of it.
    pub(crate) redo: Redo,
    pub(crate) due: Due,
    pub(crate) place: Place,
}

impl Young {
    /// Whether there can be one more.
    pub(crate) fn has_room(&self) -> bool {
        self.messages.len() < YOUNG_MAX
    }

    pub(crate) fn put(&mut self, message: Message) {
        self.messages.insert(message.due.item, message);
    }

    /// The message, if this is its recipient.
    pub(crate) fn waiting(&mut self, item: ItemId, recipient: u32) -> Option<&mut Message> {
        let message = self.messages.get_mut(&item)?;
        (message.due.recipient == recipient).then_some(message)
    }

    /// Those in a lane, due or not yet.
    pub(crate) fn in_lane(&self, lane: Lane) -> impl Iterator<Item = &Due> {
        let all = (lane == Lane::Fresh).then(|| self.messages.values());
        all.into_iter().flatten().map(|message| &message.due)
    }

    /// The pieces of a message, and where its body lies.
    pub(crate) fn spans(&self, item: ItemId) -> Option<(Spans, Place)> {
        let message = self.messages.get(&item)?;
        let spans = entries::spans(message.redo.as_octets())?;
        Some((spans, message.place))
    }

    /// Makes the rows of a message, if it has none.
    pub(crate) fn make_rows(&mut self, db: &Connection, item: ItemId) -> Result<(), StoreError> {
        self.make(item, |octets| {
            pieces::replay(db, octets, &mut Effects::default())
        })
    }

    /// Makes the rows that a message keeps that has been delivered.
    pub(crate) fn make_ended(&mut self, db: &Connection, item: ItemId) -> Result<(), StoreError> {
        self.make(item, |octets| entries::make_ended(db, octets))
    }

    fn make(
        &mut self,
        item: ItemId,
        how: impl FnOnce(&[u8]) -> Result<(), ReplayError>,
    ) -> Result<(), StoreError> {
        let Some(message) = self.messages.remove(&item) else {
            return Ok(());
        };
        self.torn = true;
        how(message.redo.as_octets())?;
        self.torn = false;
        Ok(())
    }

    /// Makes the rows of all.
    pub(crate) fn make_all_rows(&mut self, db: &Connection) -> Result<(), StoreError> {
        while let Some((first, _)) = self.messages.first_key_value() {
            let first = *first;
            self.make_rows(db, first)?;
        }
        Ok(())
    }

    /// Whether the rows of one were made in part.
    pub(crate) fn is_torn(&self) -> bool {
        self.torn
    }

    /// Forgets all: they have rows, or the transaction is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
