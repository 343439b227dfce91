//! A turn that the journal makes last: applied in the open transaction, promised by an entry in the
//! body log, committed later.

use std::sync::atomic::Ordering;

use mailtypes::Timestamp;
use tracing::{error, warn};

use super::Writer;
use crate::StoreError;
use crate::body_log::{AppendError, Place, Record, Sheet};
use crate::embedded::books::write_effects;
use crate::embedded::journal::redo::Redo;
use crate::embedded::order::{Lasting, Pending};
use crate::embedded::turn::{Effects, Turn};

/// What a turn brings, as far as it has gone.
struct Made {
    sheet: Option<Sheet>,
    redo: Redo,
    effects: Effects,
}

impl Writer {
    /// Carries out a batch and makes it last by one entry. Who asks and changes nothing is answered
    /// also while nothing can be written.
    pub(super) fn promise(&mut self, batch: &mut [Box<dyn Pending>], now: Timestamp) {
        let writes = batch
            .iter()
            .any(|asked| asked.lasting() == Lasting::Journal);
        let ready = if writes {
            self.make_ready(now)
        } else if self.is_ahead() {
            self.begin().map(|()| None)
        } else {
            Ok(None)
        };
        let ready = ready.and_then(|sheet| {
            let made = Made {
                sheet,
                redo: Redo::default(),
                effects: Effects::default(),
            };
            self.apply(batch, made, now)
        });
        let kept = ready.and_then(|made| self.keep(made, now));
        if let Err(error) = kept {
            batch.iter_mut().for_each(|asked| asked.fail(error.clone()));
        }
    }

    /// A transaction that is open, and a segment that a commit has named, with an empty sheet for it.
    fn make_ready(&mut self, now: Timestamp) -> Result<Option<Sheet>, StoreError> {
        if self.needs_recovery() {
            return Err(StoreError::Disk("recovering from a disk error".to_owned()));
        }
        if self.log.is_full() {
            self.commit_ahead(now);
            self.log.turn_over().map_err(|e| self.log_failed(e))?;
            self.name_segment(now)?;
        }
        self.begin()?;
        let sheet = self.log.sheet().map_err(|e| self.log_failed(e))?;
        Ok(Some(sheet))
    }

    /// An entry counts only in a segment that a start will look into.
    fn name_segment(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let named = self.log.open_end();
        let db = self.database()?;
        let write = || -> rusqlite::Result<()> {
            db.execute_batch("BEGIN IMMEDIATE")?;
            write_effects(db, &Effects::default(), named, now)?;
            db.execute_batch("COMMIT")
        };
        let written = write();
        if written.is_err() {
            // Whether it is named will be known when the database is open again.
            self.db = None;
            self.log.leave();
        }
        Ok(written?)
    }

    fn apply(
        &mut self,
        batch: &mut [Box<dyn Pending>],
        mut made: Made,
        now: Timestamp,
    ) -> Result<Made, StoreError> {
        for asked in batch.iter_mut() {
            let db = self.database()?;
            let before = made.redo.len();
            let place = place_of(&**asked, made.sheet.as_ref());
            let mut turn = Turn {
                db,
                now,
                place,
                effects: Effects::default(),
                epochs: &self.epochs,
                redo: &mut made.redo,
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
            // What a failed order has done of itself goes, or all when SQLite gave the transaction up.
            let wrote = made.redo.len() > before;
            made.redo.truncate(before);
            let lost = made.sheet.is_some() && db.is_autocommit();
            if wrote || lost {
                self.begin_anew(&made.redo)?;
            }
        }
        Ok(made)
    }

    /// Makes the turn last.
    fn keep(&mut self, made: Made, now: Timestamp) -> Result<(), StoreError> {
        let Made {
            sheet,
            redo,
            mut effects,
        } = made;
        let Some(mut sheet) = sheet else {
            return Ok(());
        };
        if redo.is_empty() {
            return Ok(());
        }
        sheet.entry(redo.as_octets());
        match self.log.write(&sheet) {
            Ok(()) => {
                self.forget(&std::mem::take(&mut effects.ended));
                self.ahead.add(&redo, &effects, sheet.end(), now);
                Ok(())
            }
            Err(failure) => {
                let error = self.log_failed(failure);
                // Without the database `recover` does the same.
                if self.begin_anew(&Redo::default()).is_ok() && self.needs_recovery() {
                    // What was promised in a file that fails is better off in the database.
                    self.commit_ahead(now);
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
