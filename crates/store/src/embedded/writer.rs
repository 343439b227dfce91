//! The one writer: a batch of orders in, one append, one transaction, all answers out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use mailtypes::Timestamp;
use rusqlite::Connection;
use tracing::{error, info, warn};

use super::books::write_effects;
use super::cache::DirectoryCache;
use super::order::Pending;
use super::turn::{Effects, Turn};
use super::{database, evacuate};
use crate::StoreError;
use crate::body_log::{AppendError, BodyLog, BodyReader, Place, Record, segment_name};
use crate::disk::Disk;

/// Owns the only writing connection and the end of the body log. Knows no threads: the caller
/// brings the orders and the time.
pub(crate) struct Writer {
    pub(crate) path: PathBuf,
    pub(crate) db: Option<Connection>,
    pub(crate) log: BodyLog,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) bodies: BodyReader,
    pub(crate) epochs: Box<[i64; 256]>,
    /// What is known of the directory; forgotten with each commit that changes it.
    pub(crate) cache: Arc<DirectoryCache>,
    /// Segments whose sync failed; their tails must be copied before new bodies are taken.
    pub(crate) suspect: VecDeque<i64>,
    /// Whether new mail may come; shared with those who ask before they send it.
    pub(crate) accepting: Arc<AtomicBool>,
    /// The time of the last turn that is committed, in milliseconds. The clock never goes back, and
    /// no order makes anything due before its turn: what is committed later is due no earlier.
    pub(crate) settled: Arc<AtomicI64>,
}

/// What a committed transaction has done.
#[derive(Default)]
struct Done {
    /// Segments without a live body, whose rows are gone.
    dead: Vec<i64>,
    effects: Effects,
}

impl Writer {
    /// Carries out a batch and answers everyone in it.
    pub(crate) fn turn(&mut self, mut batch: Vec<Box<dyn Pending>>, now: Timestamp) {
        self.recover(now);
        if batch.is_empty() {
            return;
        }
        let places = self.append(&mut batch);
        match self.transact(&mut batch, &places, now) {
            Ok(done) => {
                self.settled.fetch_max(now.as_millis(), Ordering::AcqRel);
                self.committed(&done);
            }
            Err(StoreError::Full) => self.undo(&mut batch),
            Err(error) => self.reconcile(&mut batch, &error),
        }
        for asked in batch {
            asked.settle();
        }
    }

    /// A turn has panicked: what the connection holds is unknown, so it is opened anew.
    pub(crate) fn abandon(&mut self) {
        self.db = None;
        self.cache.clear();
        self.accepting.store(false, Ordering::Release);
    }

    /// Whether something is broken that the next turn tries to mend, even an empty one.
    pub(crate) fn needs_recovery(&self) -> bool {
        self.db.is_none() || !self.suspect.is_empty()
    }

    /// Appends the bodies of a batch; an order without its place has been told why.
    fn append(&mut self, batch: &mut [Box<dyn Pending>]) -> Vec<Option<Place>> {
        let mut places = vec![None; batch.len()];
        let with_body: Vec<usize> = (0..batch.len())
            .filter(|n| batch[*n].body().is_some())
            .collect();
        if with_body.is_empty() {
            return places;
        }
        let records: Vec<Record<'_>> = with_body
            .iter()
            .filter_map(|n| batch[*n].body())
            .map(|(id, octets, crc)| Record { id, octets, crc })
            .collect();
        let appended = if self.needs_recovery() {
            Err(StoreError::Disk("recovering from a disk error".to_owned()))
        } else {
            self.log.append(&records).map_err(|e| self.append_failed(e))
        };
        match appended {
            Ok(appended) => {
                for (n, place) in with_body.into_iter().zip(appended) {
                    places[n] = Some(place);
                }
            }
            Err(error) => with_body
                .into_iter()
                .for_each(|n| batch[n].fail(error.clone())),
        }
        places
    }

    fn append_failed(&mut self, failure: AppendError) -> StoreError {
        match failure {
            AppendError::Write(e) => {
                warn!(error = %e, "the body log could not be written");
                StoreError::from_io(&e)
            }
            AppendError::Sync { segment, error: e } => {
                error!(segment, error = %e, "a sync of the body log failed; no new mail until its tail is copied");
                self.suspect.push_back(segment);
                self.accepting.store(false, Ordering::Release);
                StoreError::from_io(&e)
            }
        }
    }

    /// One transaction for the whole batch.
    fn transact(
        &mut self,
        batch: &mut [Box<dyn Pending>],
        places: &[Option<Place>],
        now: Timestamp,
    ) -> Result<Done, StoreError> {
        let Some(db) = &self.db else {
            let error = StoreError::Disk("the database could not be opened again".to_owned());
            batch.iter_mut().for_each(|asked| asked.fail(error.clone()));
            return Ok(Done::default());
        };
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut sum = Effects::default();
        for (asked, place) in batch.iter_mut().zip(places) {
            if asked.body().is_some() && place.is_none() {
                continue; // its body is not in the log, and it knows
            }
            db.prepare_cached("SAVEPOINT one")?.execute([])?;
            let mut turn = Turn {
                db,
                now,
                place: *place,
                effects: Effects::default(),
                epochs: &self.epochs,
            };
            if asked.apply(&mut turn) {
                let effects = turn.effects;
                sum.merge(&effects);
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
        let dead = write_effects(db, &sum, self.log.open_end(), now)?;
        db.prepare_cached("COMMIT")?.execute([])?;
        Ok(Done { dead, effects: sum })
    }

    /// What memory has to know of a commit, before anybody is answered.
    fn committed(&mut self, done: &Done) {
        for (shard, epoch) in &done.effects.epochs {
            self.epochs[usize::from(*shard)] = *epoch;
        }
        if done.effects.directory {
            self.cache.clear();
        }
        self.unlink(&done.dead);
    }

    /// The disk is full: the transaction certainly did not happen, and nothing is broken.
    fn undo(&mut self, batch: &mut [Box<dyn Pending>]) {
        batch
            .iter_mut()
            .for_each(|asked| asked.fail(StoreError::Full));
        let Some(db) = &self.db else { return };
        let undone = if db.is_autocommit() {
            Ok(())
        } else {
            db.execute_batch("ROLLBACK")
        };
        match undone.and_then(|()| database::load_epochs(db)) {
            Ok(epochs) => self.epochs = epochs,
            Err(_) => self.db = None,
        }
    }

    /// A transaction failed, perhaps in its commit: opens the database afresh, brings what it
    /// holds down to the disk, and asks each order whether it is in there.
    fn reconcile(&mut self, batch: &mut [Box<dyn Pending>], error: &StoreError) {
        warn!(%error, "a transaction failed; looking what is true");
        self.db = None;
        self.cache.clear();
        match database::reopen(&self.path) {
            Ok((db, epochs)) => {
                batch
                    .iter_mut()
                    .for_each(|asked| asked.reconcile(&db, error));
                self.db = Some(db);
                self.epochs = epochs;
            }
            Err(e) => {
                error!(error = %e, "the database cannot be opened again; no new mail until it can");
                self.accepting.store(false, Ordering::Release);
                let unknown = StoreError::Unknown(e.to_string());
                batch
                    .iter_mut()
                    .for_each(|asked| asked.fail(unknown.clone()));
            }
        }
    }

    /// Mends what a disk error has left; says so once service is full again.
    fn recover(&mut self, now: Timestamp) {
        if !self.needs_recovery() {
            return;
        }
        if self.db.is_none() {
            match database::reopen(&self.path) {
                Ok((db, epochs)) => {
                    self.db = Some(db);
                    self.epochs = epochs;
                }
                Err(_) => return,
            }
        }
        while let (Some(segment), Some(db)) = (self.suspect.front().copied(), &self.db) {
            match evacuate::copy_tail(db, &mut self.log, &self.bodies, segment, now) {
                Ok(dead) => {
                    self.suspect.pop_front();
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
                    self.db = None;
                    return;
                }
            }
        }
        if !self.accepting.swap(true, Ordering::AcqRel) {
            info!("the store has recovered; new mail is accepted again");
        }
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

    /// Removes the files of segments that no row names any more.
    fn unlink(&self, dead: &[i64]) {
        for segment in dead {
            if let Err(e) = self.disk.remove(&segment_name(*segment))
                && e.kind() != std::io::ErrorKind::NotFound
            {
                warn!(segment, error = %e, "a dead segment stays until the next start");
            }
            // Afterwards: a reader that was late may have opened it once more.
            self.bodies.forget(*segment);
        }
    }
}
