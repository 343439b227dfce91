//! What the journal promises and no commit has yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::pieces::{self, ReplayError};
use super::redo::Redo;
use crate::embedded::effects::Effects;
use crate::limits::{COMMIT_EVERY, COMMIT_OCTETS_MAX};

/// The turns since the last commit. The open transaction has them too; should it get lost, they are
/// repeated from here.
#[derive(Default)]
pub(crate) struct Ahead {
    pub(crate) redo: Redo,
    pub(crate) effects: Effects,
    /// The segment of their entries, and its end.
    pub(crate) end: Option<(i64, u64)>,
    since: Option<Timestamp>,
    /// For readers, who see what is committed.
    shown: Arc<AtomicBool>,
}

impl Ahead {
    /// Says whether there is anything, to whoever keeps it.
    pub(crate) fn shown(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shown)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.redo.is_empty()
    }

    /// A turn has been promised.
    pub(crate) fn add(&mut self, redo: &Redo, effects: &Effects, end: (i64, u64), now: Timestamp) {
        self.redo.append(redo);
        self.effects.merge(effects);
        self.end = Some(end);
        self.since.get_or_insert(now);
        self.shown.store(true, Ordering::Release);
    }

    /// Whether a commit should follow.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.redo.len() >= COMMIT_OCTETS_MAX || self.left(now) == Some(Duration::ZERO)
    }

    /// How long a commit may wait for more, if there is anything to commit.
    pub(crate) fn left(&self, now: Timestamp) -> Option<Duration> {
        Some(COMMIT_EVERY.saturating_sub(now.since(self.since?)))
    }

    /// All of it is committed.
    pub(crate) fn clear(&mut self) {
        let Self {
            redo,
            effects,
            end,
            since,
            shown,
        } = self;
        redo.clear(COMMIT_OCTETS_MAX);
        *effects = Effects::default();
        *end = None;
        *since = None;
        shown.store(false, Ordering::Release);
    }

    /// Whether the database has it: after a commit of unknown outcome.
    pub(crate) fn is_in(&self, db: &Connection) -> rusqlite::Result<bool> {
        let Some((segment, end)) = self.end else {
            return Ok(true);
        };
        let named: Option<i64> = db
            .query_row("SELECT end FROM segment WHERE id = ?", [segment], |row| {
                row.get(0)
            })
            .optional()?;
        // A row that has gone was committed later.
        Ok(named.is_none_or(|named| named >= i64::try_from(end).unwrap_or(i64::MAX)))
    }

    /// Makes the running transaction hold it, and `more` behind it. What it adds to the books is
    /// known already.
    pub(crate) fn repeat(&self, db: &Connection, more: &Redo) -> Result<(), ReplayError> {
        let mut known = Effects::default();
        pieces::replay(db, self.redo.as_octets(), &mut known)?;
        pieces::replay(db, more.as_octets(), &mut known)
    }
}
