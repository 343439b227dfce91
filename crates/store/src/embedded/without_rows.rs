//! What orders do with messages that have no rows yet.

use mailtypes::ItemId;

use super::rows::number;
use super::turn::Turn;
use super::young::Message;
use crate::StoreError;
use crate::body_log::Place;
use crate::item::{Destination, Due, NewItem};

impl Turn<'_> {
    /// Whether a message can do without rows for now: the journal has its body, it is for one recipient
    /// elsewhere, and there are not too many.
    pub(crate) fn can_be_young(&self, item: &NewItem) -> bool {
        let [to] = &item.recipients[..] else {
            return false;
        };
        to.destination == Destination::Remote && self.place.is_some() && self.young.has_room()
    }

    /// Keeps a message that `write` accepts, and makes no rows.
    pub(crate) fn keep_young(
        &mut self,
        due: Due,
        place: Place,
        write: impl FnOnce(&mut Self) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let ((), redo) = self.journal_only(write)?;
        self.young.put(Message { redo, due, place });
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
        if self.young.waiting(item, recipient).is_none() {
            return Ok(None);
        }
        let (answer, more) = self.journal_only(write)?;
        if let Some(message) = self.young.waiting(item, recipient) {
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
        let Some(message) = self.young.waiting(item, recipient) else {
            return Ok(None);
        };
        let Place {
            segment, length, ..
        } = message.place;
        let ended = self.add_to_young(item, recipient, |turn| {
            write(turn)?;
            turn.close_one(item)?;
            turn.drop_body(item.as_i64(), segment, number(length))
        })?;
        self.effects.put_away.push(item);
        self.young.make_ended(self.db, item)?;
        Ok(ended)
    }
}
