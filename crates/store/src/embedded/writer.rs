//! The one writer: a batch of orders in, promised or committed together, all answers out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailtypes::{ItemId, Timestamp};
use rusqlite::Connection;
use tracing::{info, warn};

use super::cache::DirectoryCache;
use super::fresh::Fresh;
use super::journal::ahead::Ahead;
use super::journal::redo::Redo;
use super::order::{Lasting, Pending};
use super::room::Open;
use super::young::Young;
use super::{database, evacuate, queries};
use crate::StoreError;
use crate::body_log::{AppendError, BodyLog, BodyReader};
use crate::metrics::Timing;

mod commit;
mod promise;

/// Owns the only writing connection and the end of the body log. Knows no threads: the caller
/// brings the orders and the time.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) db: Option<Connection>,
    pub(crate) log: BodyLog,
    pub(crate) bodies: BodyReader,
    pub(crate) epochs: Box<[i64; 256]>,
    /// What is known of the directory; forgotten with each commit that changes it.
    pub(crate) cache: Arc<DirectoryCache>,
    /// Messages that have just come in.
    pub(crate) fresh: Arc<Fresh>,
    /// Segments whose sync failed; their tails must be copied before new bodies are taken.
    pub(crate) suspect: VecDeque<i64>,
    /// Segments that died with a commit of unknown outcome.
    pub(crate) doubtful: Vec<i64>,
    /// Recipients without an end; shared with those who look for room.
    pub(crate) open: Open,
    /// Whether new mail may come; shared with those who ask before they send it.
    pub(crate) accepting: Arc<AtomicBool>,
    /// What is promised and not committed.
    pub(crate) ahead: Ahead,
    /// An empty one for the entry of the next turn: its memory is used again.
    pub(crate) blank: Redo,
    /// Messages that have no rows yet, of it and of the turn that runs.
    pub(crate) young: Young,
    pub(crate) timing: Timing,
}

impl Writer {
    /// Carries out a batch and answers everyone in it. Orders that need a commit come in batches of
    /// their own. Answers whether anything was committed.
    pub(crate) fn turn(&mut self, mut batch: Vec<Box<dyn Pending>>, now: Timestamp) -> bool {
        self.recover(now);
        let commits = batch.iter().any(|asked| asked.lasting() == Lasting::Commit);
        if commits {
            self.commit_batch(&mut batch, now);
        } else if !batch.is_empty() {
            self.promise(&mut batch, now);
        }
        self.end_empty();
        for asked in batch {
            asked.settle();
        }
        if !commits && self.ahead.is_due(now) {
            self.commit_ahead(now);
            return true;
        }
        commits
    }

    /// Commits what is promised, for a quiet moment.
    pub(crate) fn rest(&mut self, now: Timestamp) {
        self.recover(now);
        self.commit_ahead(now);
    }

    /// Whether something is promised that a commit should follow.
    pub(crate) fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// A turn has panicked: what the connection holds is unknown, so it is opened anew.
    pub(crate) fn abandon(&mut self) {
        self.lose_database();
    }

    /// The connection is of no use any more. Until another one has all that is promised there is no
    /// new mail.
    fn lose_database(&mut self) {
        self.db = None;
        self.young.clear();
        self.cache.clear();
        self.accepting.store(false, Ordering::Release);
    }

    /// Whether something is broken that the next turn tries to mend, even an empty one.
    pub(crate) fn needs_recovery(&self) -> bool {
        self.db.is_none() || !self.suspect.is_empty()
    }

    /// Mends what a disk error has left; says so once service is full again.
    fn recover(&mut self, now: Timestamp) {
        if !self.needs_recovery() {
            return;
        }
        if self.db.is_none() && self.reopen(now).is_err() {
            return;
        }
        // The copies of tails are transactions of their own.
        self.commit_ahead(now);
        self.end_empty();
        while let (Some(segment), Some(db)) = (self.suspect.front().copied(), &self.db) {
            match evacuate::copy_tail(db, &mut self.log, &self.bodies, segment, now) {
                Ok(dead) => {
                    self.suspect.pop_front();
                    self.log.named();
                    self.unlink(&dead);
                }
                Err(evacuate::Failed::Log(AppendError::Sync { segment, .. })) => {
                    self.spoilt(segment);
                    return;
                }
                Err(evacuate::Failed::Log(AppendError::Write(e))) => {
                    warn!(segment, error = %e, "the tail of a segment cannot be copied yet");
                    return;
                }
                Err(evacuate::Failed::Database(e)) => {
                    warn!(segment, error = %e, "the tail of a segment cannot be copied yet");
                    self.lose_database();
                    return;
                }
            }
        }
        self.resume();
    }

    /// Takes new mail again, unless something is still broken.
    fn resume(&self) {
        if !self.needs_recovery() && !self.accepting.swap(true, Ordering::AcqRel) {
            info!("the store has recovered; new mail is accepted again");
        }
    }

    /// Opens the database afresh and brings what it holds down to the disk; what is promised and
    /// not in there is repeated and committed. Only now it is known what commits have done: memory
    /// keeps nothing that they may have changed.
    fn reopen(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let (db, epochs) = database::reopen(&self.path)?;
        if self.ahead.is_in(&db)? {
            self.ahead.clear();
        }
        let mut dead = std::mem::take(&mut self.doubtful);
        dead.retain(|segment| evacuate::is_named(&db, *segment).is_ok_and(|named| !named));
        self.db = Some(db);
        self.epochs = epochs;
        self.cache.clear();
        self.fresh.clear();
        self.unlink(&dead);
        self.commit_ahead(now);
        let db = self.database()?;
        // What was known before will do for the count: the database is open again.
        if !self.is_ahead()
            && let Ok(open) = queries::audit::open(db)
        {
            self.open.set(open);
        }
        Ok(())
    }

    /// Opens a transaction that has all that is promised, if there is none.
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.database()?.is_autocommit() {
            self.begin_anew(&Redo::default())?;
        }
        Ok(())
    }

    /// Begins the transaction again, with all that is promised and `more`.
    fn begin_anew(&mut self, more: &Redo) -> Result<(), StoreError> {
        if !cfg!(planted = "stale-young") {
            self.young.clear();
        }
        let begun = self.database().and_then(|db| {
            if !db.is_autocommit() {
                db.execute_batch("ROLLBACK")?;
            }
            db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            Ok(self.ahead.repeat(db, more)?)
        });
        if let Err(error) = &begun {
            warn!(%error, "a transaction cannot begin; the database is opened anew");
            self.lose_database();
        }
        begun
    }

    /// Has the WAL begin anew, with nothing in it: for a moment between two transactions.
    pub(crate) fn cut_wal(&self) {
        if let Some(db) = &self.db
            && db.is_autocommit()
            && let Err(error) = database::cut_wal(db)
        {
            warn!(%error, "the WAL of the database could not be cut");
        }
    }

    /// Ends a transaction in which nothing was promised.
    fn end_empty(&mut self) {
        if let Some(db) = &self.db
            && self.ahead.is_empty()
            && !db.is_autocommit()
            && let Err(error) = db.execute_batch("ROLLBACK")
        {
            warn!(%error, "a transaction cannot be ended; the database is opened anew");
            self.lose_database();
        }
    }

    fn database(&self) -> Result<&Connection, StoreError> {
        opened(&self.db)
    }

    /// A sync failed while a tail was copied to this segment. One that commits have named has bodies
    /// to save; a new one has none, and must not stay: there may be many before the disk is well.
    fn spoilt(&mut self, segment: i64) {
        let named = self.db.as_ref().map(|db| evacuate::is_named(db, segment));
        if matches!(named, Some(Ok(false))) {
            self.unlink(&[segment]);
        } else {
            self.suspect.push_back(segment);
        }
    }

    /// Forgets the messages of items.
    fn forget(&self, put_away: &[ItemId]) {
        for item in put_away {
            self.fresh.take(*item);
        }
    }

    /// Takes the files of segments away that no row names any more.
    fn unlink(&mut self, dead: &[i64]) {
        for segment in dead {
            if let Err(error) = self.log.retire(*segment, &self.bodies) {
                warn!(segment, %error, "a dead segment stays until the next start");
            }
        }
    }
}

/// The connection, if there is one.
fn opened(db: &Option<Connection>) -> Result<&Connection, StoreError> {
    let closed = || StoreError::Disk("the database could not be opened again".to_owned());
    db.as_ref().ok_or_else(closed)
}
