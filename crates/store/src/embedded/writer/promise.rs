//! A turn that the journal makes last: applied in the open transaction, promised by an entry in the
//! body log, committed later.

use std::sync::atomic::Ordering;

use mailtypes::Timestamp;
use tracing::{error, warn};

use super::{Writer, opened};
use crate::StoreError;
use crate::body_log::{AppendError, Place, Record, Sheet};
use crate::embedded::books::write_effects;
use crate::embedded::effects::Effects;
use crate::embedded::journal::redo::Redo;
use crate::embedded::order::{Lasting, Pending};
use crate::embedded::turn::Turn;
use crate::limits::TURN_OCTETS_MAX;

/// What an entry brings, as far as it has gone.
#[derive(Default)]
struct Made {
    /// How many orders have been looked at.
    orders: usize,
    sheet: Option<Sheet>,
    redo: Redo,
    effects: Effects,
}

impl Writer {
    /// Carries out a batch and makes it last by one entry. Who asks and changes nothing is answered
    /// also while nothing can be written.
    pub(super) fn promise(&mut self, batch: &mut [Box<dyn Pending>], now: Timestamp) {
        let mut rest = batch;
        while !rest.is_empty() {
            let (sheet, unready) = match self.prepare(rest, now) {
                Ok(sheet) => (sheet, None),
                Err(error) => (None, Some(error)),
            };
            let mut made = Made {
                sheet,
                redo: std::mem::take(&mut self.blank),
                ..Made::default()
            };
            let kept = self
                .apply(rest, &mut made, unready.as_ref(), now)
                .and_then(|()| self.keep(&mut made, now));
            if let Some(sheet) = made.sheet.take() {
                self.log.used(sheet);
            }
            self.blank = made.redo;
            self.blank.clear(TURN_OCTETS_MAX);
            let (done, later) = rest.split_at_mut(made.orders.min(rest.len()));
            if let Err(error) = kept {
                if cfg!(planted = "answer-early") {
                    // As if they had been answered before it was known.
                    return;
                }
                // Without what it should have come with, the rest is not tried either.
                for asked in done.iter_mut().chain(later) {
                    asked.fail(error.clone());
                }
                return;
            }
            rest = later;
        }
    }

    /// A sheet, when the batch wants to write; an open transaction, when there is something in it.
    fn prepare(
        &mut self,
        batch: &[Box<dyn Pending>],
        now: Timestamp,
    ) -> Result<Option<Sheet>, StoreError> {
        if batch
            .iter()
            .any(|asked| asked.lasting() == Lasting::Journal)
        {
            let octets = batch.iter().map(|asked| asked.weight()).sum();
            return self.make_ready(octets, now);
        }
        if self.is_ahead() {
            self.begin()?;
        }
        Ok(None)
    }

    /// A transaction that is open, and a segment that a commit has named, with an empty sheet for it.
    fn make_ready(&mut self, octets: usize, now: Timestamp) -> Result<Option<Sheet>, StoreError> {
        if self.needs_recovery() {
            return Err(StoreError::Disk("recovering from a disk error".to_owned()));
        }
        if self.log.is_full() {
            self.commit_ahead(now);
            if self.is_ahead() {
                return Err(StoreError::Disk("a commit has failed".to_owned()));
            }
            self.log.turn_over().map_err(|e| self.log_failed(e))?;
        }
        if !self.log.is_named() {
            self.name_segment(now)?;
        }
        self.begin()?;
        let sheet = self.log.sheet(octets).map_err(|e| self.log_failed(e))?;
        Ok(Some(sheet))
    }

    /// An entry counts only in a segment that a start will look into.
    fn name_segment(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.commit_ahead(now);
        self.end_empty();
        let named = self.log.open_end();
        let written = self.database().and_then(|db| {
            db.execute_batch("BEGIN IMMEDIATE")?;
            write_effects(db, &Effects::default(), named, now)?;
            db.execute_batch("COMMIT")?;
            Ok(())
        });
        match written {
            Ok(()) => self.log.named(),
            Err(_) => {
                // Whether it is named will be known when the database is open again.
                self.doubtful.extend(named.map(|(segment, _)| segment));
                self.lose_database();
                self.log.leave();
            }
        }
        written
    }

    /// Carries out orders until there is enough for one entry. Who wants to write and cannot is told
    /// why.
    fn apply(
        &mut self,
        batch: &mut [Box<dyn Pending>],
        made: &mut Made,
        unready: Option<&StoreError>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for asked in batch.iter_mut() {
            if made.redo.len() >= TURN_OCTETS_MAX {
                break;
            }
            made.orders += 1;
            if let (Lasting::Journal, Some(error)) = (asked.lasting(), unready) {
                asked.fail(error.clone());
                continue;
            }
            self.stay_open(made)?;
            if !asked.knows_young() {
                self.make_rows(&made.redo)?;
            }
            let db = opened(&self.db)?;
            let before = made.redo.len();
            let place = place_of(&**asked, made.sheet.as_ref());
            let mut turn = Turn {
                db,
                now,
                place,
                effects: Effects::default(),
                epochs: &self.epochs,
                redo: &mut made.redo,
                young: &mut self.young,
                journal_only: false,
            };
            if asked.apply(&mut turn) {
                let effects = turn.effects;
                made.redo.books(&effects);
                made.effects.merge(&effects);
                if let (Some((id, octets, crc)), Some(sheet)) = (asked.body(), &mut made.sheet) {
                    sheet.body(&Record { id, octets, crc });
                }
                continue;
            }
            // What a failed order has done of itself goes.
            let wrote = made.redo.len() > before;
            made.redo.truncate(before);
            if wrote || self.young.is_torn() {
                self.begin_anew(&made.redo)?;
            }
        }
        self.stay_open(made)
    }

    /// SQLite gives a transaction up when the disk fails, also for a question, and whoever asked may
    /// not tell.
    fn stay_open(&mut self, made: &Made) -> Result<(), StoreError> {
        let needed = made.sheet.is_some() || self.is_ahead();
        if needed && opened(&self.db)?.is_autocommit() {
            return self.begin_anew(&made.redo);
        }
        Ok(())
    }

    /// Messages without rows get theirs.
    fn make_rows(&mut self, made: &Redo) -> Result<(), StoreError> {
        let written = self.young.make_all_rows(opened(&self.db)?);
        // A transaction that begins anew has them all.
        written.or_else(|_| self.begin_anew(made))
    }

    /// Makes the turn last.
    fn keep(&mut self, made: &mut Made, now: Timestamp) -> Result<(), StoreError> {
        let Some(sheet) = &mut made.sheet else {
            return Ok(());
        };
        if made.redo.is_empty() {
            return Ok(());
        }
        sheet.entry(made.redo.as_octets());
        let began = self.timing.begin();
        match self.log.write(sheet) {
            Ok(()) => {
                self.timing.synced(began, made.orders);
                self.forget(&std::mem::take(&mut made.effects.put_away));
                self.open.add(&made.effects.tally);
                self.ahead.add(&made.redo, &made.effects, sheet.end(), now);
                Ok(())
            }
            Err(failure) => {
                let error = self.log_failed(failure);
                // Without the database `recover` does the same.
                if self.begin_anew(&Redo::default()).is_ok() && self.needs_recovery() {
                    // What was promised in a file that fails is better off in the database; and a
                    // start must not find there what nobody was promised.
                    self.commit_all(now);
                }
                Err(error)
            }
        }
    }

    /// What follows from a log that could not be written.
    pub(super) fn log_failed(&mut self, failure: AppendError) -> StoreError {
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
}

/// Where the body of an order will lie.
fn place_of(asked: &dyn Pending, sheet: Option<&Sheet>) -> Option<Place> {
    let (_, octets, crc) = asked.body()?;
    Some(sheet?.place(octets.len() as u64, crc))
}
