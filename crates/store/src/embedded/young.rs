//! Messages that have come in since the last commit and have no rows yet.
//!
//! Most mail goes on at once. What the journal has of such a message is kept here, and is carried out
//! when a commit comes, or somebody who needs the rows. If it has been delivered before, its rows are
//! written once, as they are in the end, and those that would be gone again are never made.

use std::collections::BTreeMap;

use mailtypes::ItemId;
use rusqlite::Connection;

use super::effects::Effects;
use super::journal::pieces;
use super::journal::redo::Redo;
use super::rows::number;
use super::turn::Turn;
use crate::body_log::Place;
use crate::item::{Destination, Due, NewItem, NewRecipient};
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
struct Message {
    redo: Redo,
    due: Due,
    place: Place,
}

impl Young {
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
    fn make_rows(&mut self, db: &Connection, item: ItemId) -> Result<(), StoreError> {
        let Some(message) = self.messages.remove(&item) else {
            return Ok(());
        };
        self.torn = true;
        pieces::replay(db, message.redo.as_octets(), &mut Effects::default())?;
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

impl Turn<'_> {
    /// Whether a message can do without rows for now: the journal has its body, it is for one recipient
    /// elsewhere, and there are not too many.
    pub(crate) fn can_be_young(&self, item: &NewItem) -> bool {
        let one_elsewhere = |to: &NewRecipient| to.destination == Destination::Remote;
        self.place.is_some()
            && matches!(&item.recipients[..], [to] if one_elsewhere(to))
            && self.young.messages.len() < YOUNG_MAX
    }

    /// Keeps a message that `write` accepts, and makes no rows.
    pub(crate) fn keep_young(
        &mut self,
        due: Due,
        place: Place,
        write: impl FnOnce(&mut Self) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let ((), redo) = self.journal_only(write)?;
        let message = Message { redo, due, place };
        self.young.messages.insert(message.due.item, message);
        Ok(())
    }

    /// Makes the rows of a message, for whoever changes it in a way that is not foreseen here.
    pub(crate) fn make_rows(&mut self, item: ItemId) -> Result<(), StoreError> {
        self.young.make_rows(self.db, item)
    }

    /// Adds what `write` writes to a recipient who waits without a row; `None` when there is none,
    /// and nothing is done.
    pub(crate) fn add_to_young<T>(
        &mut self,
        item: ItemId,
        recipient: u32,
        write: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        if recipient != ONLY || !self.young.messages.contains_key(&item) {
            return Ok(None);
        }
        let (answer, more) = self.journal_only(write)?;
        if let Some(message) = self.young.messages.get_mut(&item) {
            message.redo.append(&more);
        }
        Ok(Some(answer))
    }

    /// The same for one who has an end by what `write` writes: the message gets the rows that it will
    /// keep.
    pub(crate) fn end_young(
        &mut self,
        item: ItemId,
        recipient: u32,
        write: impl FnOnce(&mut Self) -> rusqlite::Result<()>,
    ) -> Result<Option<()>, StoreError> {
        let Some(Place {
            segment, length, ..
        }) = self.young.messages.get(&item).map(|young| young.place)
        else {
            return Ok(None);
        };
        let ended = self.add_to_young(item, recipient, |turn| {
            write(turn)?;
            turn.close_one(item)?;
            turn.drop_body(item.as_i64(), segment, number(length))
        })?;
        if ended.is_some()
            && let Some(message) = self.young.messages.remove(&item)
        {
            self.effects.put_away.push(item);
            self.young.torn = true;
            entries::make_ended(self.db, message.redo.as_octets())?;
            self.young.torn = false;
        }
        Ok(ended)
    }
}

/// The number of an only recipient.
const ONLY: u32 = 0;
