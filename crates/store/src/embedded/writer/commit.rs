//! Commits: of what has been promised, and of orders that come seldom and wait for theirs.

use std::collections::VecDeque;
use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::Connection;
use tracing::{error, warn};

use super::{Writer, opened};
use crate::StoreError;
use crate::embedded::books::write_effects;
use crate::embedded::effects::{Effects, Tally};
use crate::embedded::journal::redo::Redo;
use crate::embedded::order::Pending;
use crate::embedded::turn::Turn;

/// What a committed transaction has done.
#[derive(Default)]
struct Done {
    /// Segments without a live body, whose rows are gone.
    dead: Vec<i64>,
    effects: Effects,
    /// Without what was promised before.
    own: Tally,
}

impl Writer {
    /// Commits what is promised, if anything. A failure leaves it promised: the database is opened
    /// anew, and until that goes well there is no new mail.
    pub(super) fn commit_ahead(&mut self, now: Timestamp) {
        if self.is_ahead() {
            self.commit_all(now);
        }
    }

    /// The same, also when only suspect segments are to be closed.
    pub(super) fn commit_all(&mut self, now: Timestamp) {
        if self.begin().is_err() {
            return;
        }
        let mut dead = Vec::new();
        match self.end_ahead(&mut dead, now) {
            Ok(()) => {
                self.ahead.clear();
                self.unlink(&dead);
            }
            Err(error) => {
                self.doubtful.append(&mut dead);
                error!(%error, "what the journal promises could not be committed; no new mail until it is");
                self.lose_database();
            }
        }
    }

    /// Ends the open transaction with what is promised. `dead` is true when it succeeds; after a
    /// failure nobody knows.
    fn end_ahead(&mut self, dead: &mut Vec<i64>, now: Timestamp) -> Result<(), StoreError> {
        let began = self.timing.begin();
        let db = opened(&self.db)?;
        self.young.make_all_rows(db)?;
        close_suspects(db, &self.suspect)?;
        *dead = write_effects(db, &self.ahead.effects, self.ahead.end, now)?;
        Ok(self.end_transaction(db, began)?)
    }

    /// Carries out a batch and commits it, with what was promised before.
    pub(super) fn commit_batch(&mut self, batch: &mut [Box<dyn Pending>], now: Timestamp) {
        let mut done = Done::default();
        match self.transact(batch, &mut done, now) {
            Ok(()) => self.committed(&done),
            Err(StoreError::Full) => self.undo(batch),
            Err(error) => {
                self.doubtful.append(&mut done.dead);
                self.reconcile(batch, &error, now);
            }
        }
    }

    /// One transaction for the whole batch: the open one, if there is one. `done` is true when it
    /// succeeds; after a failure nobody knows.
    fn transact(
        &mut self,
        batch: &mut [Box<dyn Pending>],
        done: &mut Done,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Err(error) = self.begin() {
            batch.iter_mut().for_each(|asked| asked.fail(error.clone()));
            return Ok(());
        }
        let db = opened(&self.db)?;
        self.young.make_all_rows(db)?;
        let mut own = Effects::default();
        // Nobody repeats these.
        let mut redo = Redo::default();
        for asked in batch.iter_mut() {
            db.prepare_cached("SAVEPOINT one")?.execute([])?;
            redo.truncate(0);
            let mut turn = Turn {
                db,
                now,
                // Their bodies are segments of their own.
                place: None,
                effects: Effects::default(),
                epochs: &self.epochs,
                redo: &mut redo,
                young: &mut self.young,
                journal_only: false,
            };
            if asked.apply(&mut turn) {
                let effects = turn.effects;
                own.merge(&effects);
            } else if db.is_autocommit() {
                // SQLite gave up the whole transaction: a full disk, or an I/O error.
                return Err(asked.why().unwrap_or_else(|| {
                    StoreError::Disk("the transaction was rolled back".to_owned())
                }));
            } else {
                db.prepare_cached("ROLLBACK TO one")?.execute([])?;
            }
            db.prepare_cached("RELEASE one")?.execute([])?;
        }
        close_suspects(db, &self.suspect)?;
        let named = self.log.open_end().or(self.ahead.end);
        done.own = own.tally;
        let mut sum = self.ahead.effects.clone();
        sum.merge(&own);
        done.dead = write_effects(db, &sum, named, now)?;
        done.effects = sum;
        self.end_transaction(db, self.timing.begin())?;
        self.log.named();
        self.ahead.clear();
        Ok(())
    }

    fn end_transaction(&self, db: &Connection, began: Duration) -> rusqlite::Result<()> {
        db.prepare_cached("COMMIT")?.execute([])?;
        self.timing.committed(began);
        Ok(())
    }

    /// What memory has to know of a commit, before anybody is answered.
    fn committed(&mut self, done: &Done) {
        for (shard, epoch) in &done.effects.epochs {
            self.epochs[usize::from(*shard)] = *epoch;
        }
        if done.effects.directory {
            self.cache.clear();
        }
        self.forget(&done.effects.put_away);
        self.open.add(&done.own);
        self.unlink(&done.dead);
    }

    /// The disk is full: the transaction certainly did not happen, and nothing is broken. What is
    /// promised begins another one.
    fn undo(&mut self, batch: &mut [Box<dyn Pending>]) {
        batch
            .iter_mut()
            .for_each(|asked| asked.fail(StoreError::Full));
        // A failure is mended by the next turn.
        let _ = self.begin_anew(&Redo::default());
    }

    /// A transaction failed, perhaps in its commit: opens the database afresh, brings what it
    /// holds down to the disk, and asks each order whether it is in there.
    fn reconcile(&mut self, batch: &mut [Box<dyn Pending>], error: &StoreError, now: Timestamp) {
        warn!(%error, "a transaction failed; looking what is true");
        self.lose_database();
        let reopened = self.reopen(now);
        match (&self.db, reopened) {
            (Some(db), Ok(())) => {
                batch
                    .iter_mut()
                    .for_each(|asked| asked.reconcile(db, error));
                self.resume();
            }
            (_, failed) => {
                let why = failed.err().unwrap_or_else(|| error.clone());
                error!(error = %why, "the database cannot be opened again; no new mail until it can");
                self.lose_database();
                let unknown = StoreError::Unknown(why.to_string());
                batch
                    .iter_mut()
                    .for_each(|asked| asked.fail(unknown.clone()));
            }
        }
    }
}

/// A start looks for entries in open segments only. In one whose sync failed it could find some that
/// nobody was promised.
fn close_suspects(db: &Connection, suspect: &VecDeque<i64>) -> rusqlite::Result<()> {
    for segment in suspect {
        db.execute("UPDATE segment SET closed = 1 WHERE id = ?", [segment])?;
    }
    Ok(())
}
