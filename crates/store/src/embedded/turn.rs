//! What an order sees of the transaction it runs in, and the small steps that orders share.

use mailtypes::{ItemId, Status, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::effects::Effects;
use super::journal::redo::Redo;
use super::journal::writes::Write;
use super::young::Young;
use crate::body_log::Place;
use crate::limits::STRIKES_MAX;
use crate::story::{EventKind, RecipientState};
use crate::{Attempt, Lease, StoreError};

/// The running transaction.
pub(crate) struct Turn<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) now: Timestamp,
    /// Where the body of this order lies.
    pub(crate) place: Option<Place>,
    /// What this order adds to the books.
    pub(crate) effects: Effects,
    /// The epoch of each shard's lease.
    pub(crate) epochs: &'a [i64; 256],
    /// What has been written so far, for the journal.
    pub(crate) redo: &'a mut Redo,
    /// Messages that have no rows yet.
    pub(crate) young: &'a mut Young,
    /// What is written goes to the journal alone: see [`Turn::journal_only`].
    pub(crate) journal_only: bool,
}

impl Turn<'_> {
    /// Carries out a statement that the journal can repeat; answers how many rows it changed.
    pub(crate) fn write(&mut self, write: Write, values: &[&dyn ToSql]) -> rusqlite::Result<usize> {
        if self.journal_only {
            return self.redo.push(write, values).map(|()| 1);
        }
        let changed = self.db.prepare_cached(write.sql())?.execute(values)?;
        if changed > 0 {
            self.redo.push(write, values)?;
        }
        Ok(changed)
    }

    /// What `write` writes goes to the journal alone: its rows are for the caller to make.
    pub(super) fn journal_only<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<(T, Redo)> {
        let from = self.redo.len();
        self.journal_only = true;
        let answer = write(self);
        self.journal_only = false;
        Ok((answer?, self.redo.since(from)))
    }

    /// As [`Turn::write`], for a statement that answers with a row.
    pub(crate) fn write_row<T>(
        &mut self,
        write: Write,
        values: &[&dyn ToSql],
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        debug_assert!(!self.journal_only, "no row is made that could answer");
        let mut statement = self.db.prepare_cached(write.sql())?;
        let mut rows = statement.query(values)?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        // It is done, whether its answer can be read or not.
        self.redo.push(write, values)?;
        read(row).map(Some)
    }

    /// A result counts only while its lease holds.
    pub(crate) fn check_lease(&self, lease: &Lease, item: ItemId) -> Result<(), StoreError> {
        if cfg!(planted = "any-epoch") || self.epochs[usize::from(item.shard().0)] == lease.epoch {
            Ok(())
        } else {
            Err(StoreError::LeaseLost)
        }
    }

    /// Writes down that something happened.
    pub(crate) fn note(
        &mut self,
        item: ItemId,
        recipient: Option<u32>,
        kind: EventKind,
        status: Option<&Status>,
        detail: &str,
    ) -> rusqlite::Result<()> {
        self.write(
            Write::AddHistory,
            params![
                item.as_i64(),
                recipient,
                self.now.as_millis(),
                kind.code(),
                status.map(ToString::to_string),
                detail,
                None::<&str>,
            ],
        )?;
        Ok(())
    }

    /// Writes down what came of an attempt, when it ended, with its trail.
    pub(crate) fn note_attempt(
        &mut self,
        attempt: &Attempt,
        kind: EventKind,
        status: Option<&Status>,
    ) -> rusqlite::Result<()> {
        self.write(
            Write::AddHistory,
            params![
                attempt.item.as_i64(),
                attempt.recipient,
                attempt.at.min(self.now).as_millis(),
                kind.code(),
                status.map(ToString::to_string),
                attempt.detail,
                attempt.trail,
            ],
        )?;
        Ok(())
    }

    /// Holds a recipient whose delivery has brought down too many workers.
    pub(crate) fn set_aside(&mut self, item: ItemId, recipient: u32) -> rusqlite::Result<()> {
        self.write(
            Write::SetAside,
            params![RecipientState::Held.code(), item.as_i64(), recipient],
        )?;
        let detail =
            format!("set aside: its delivery has brought the server down {STRIKES_MAX} times");
        tracing::error!(%item, recipient, "a message is {detail}");
        self.note(item, Some(recipient), EventKind::Held, None, &detail)
    }

    /// Ends one recipient: its state, and the item when it was the last. Answers the body that
    /// the item lets go of, if so; the caller drops it with [`Turn::refer`].
    pub(crate) fn end(
        &mut self,
        item: ItemId,
        recipient: u32,
        state: RecipientState,
        status: Option<&Status>,
        attempts: u32,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        self.end_recipient(item, recipient, state, status, attempts)?;
        let (open, spans): (i64, Option<Vec<u8>>) = self
            .db
            .prepare_cached("SELECT open, iif(open > 1, NULL, spans) FROM item WHERE id = ?")?
            .query_row([item.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.close_one(item)?;
        if open > 1 {
            return Ok(None);
        }
        self.effects.put_away.push(item);
        Ok(spans)
    }

    /// Writes down how a recipient ends, there and in the books.
    pub(crate) fn end_recipient(
        &mut self,
        item: ItemId,
        recipient: u32,
        state: RecipientState,
        status: Option<&Status>,
        attempts: u32,
    ) -> rusqlite::Result<()> {
        self.write(
            Write::EndRecipient,
            params![
                state.code(),
                attempts,
                status.map(ToString::to_string),
                item.as_i64(),
                recipient,
            ],
        )?;
        match state {
            RecipientState::Delivered => self.effects.tally.delivered += 1,
            RecipientState::Bounced => self.effects.tally.bounced += 1,
            RecipientState::Suppressed => self.effects.tally.suppressed += 1,
            RecipientState::Removed => self.effects.tally.removed += 1,
            RecipientState::Queued | RecipientState::Held | RecipientState::BounceOwed => {}
        }
        Ok(())
    }

    /// One recipient less is open; the last one lets go of the message.
    pub(crate) fn close_one(&mut self, item: ItemId) -> rusqlite::Result<()> {
        let now = self.now.as_millis();
        self.write(Write::CloseOne, params![now, item.as_i64()])?;
        Ok(())
    }

    /// Changes how many refer to a body; nobody left means that it goes.
    pub(crate) fn refer(&mut self, body: i64, by: i64) -> rusqlite::Result<()> {
        if by == 0 {
            return Ok(());
        }
        // Not what a change answers with: SQLite gathers such rows in a table of their own first.
        let found: Option<(i64, i64, i64)> = self
            .db
            .prepare_cached("SELECT refs, segment, length FROM body WHERE id = ?")?
            .query_row([body], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((refs, segment, length)) = found else {
            return Ok(());
        };
        if refs + by > 0 {
            return self
                .write_row(Write::ReferBody, params![by, body], |_| Ok(()))
                .map(drop);
        }
        self.drop_body(body, segment, length)
    }

    /// Nobody refers to a body any more.
    pub(crate) fn drop_body(
        &mut self,
        body: i64,
        segment: i64,
        length: i64,
    ) -> rusqlite::Result<()> {
        self.write(Write::DropBody, params![body])?;
        self.effects.live(segment, -length);
        Ok(())
    }
}
