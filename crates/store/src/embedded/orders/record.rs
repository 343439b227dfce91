//! What came of an attempt.

use std::sync::Arc;

use mailtypes::{EnhancedCode, Status, Timestamp};
use rusqlite::{OptionalExtension, params};

use crate::StoreError;
use crate::embedded::journal::writes::Write;
use crate::embedded::order::{Lasting, Order};
use crate::embedded::turn::Turn;
use crate::item::{Attempt, Lane, Lease, Outcome};
use crate::limits::STRIKES_MAX;
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};

/// Writes down what came of attempts: of all of them or of none, so that whoever could not tell them
/// tells them again.
pub(crate) struct Record {
    pub(crate) lease: Lease,
    pub(crate) attempts: Arc<[Attempt]>,
}

impl Order for Record {
    type Answer = ();
    type Error = StoreError;

    /// The next host has the message already.
    const CAN_WAIT: bool = true;

    fn weight(&self) -> usize {
        self.attempts.iter().map(Attempt::weight).sum()
    }

    fn lasting(&self) -> Lasting {
        Lasting::Journal
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for attempt in &*self.attempts {
            turn.check_lease(&self.lease, attempt.item)?;
        }
        for attempt in &*self.attempts {
            One { attempt }.record(turn)?;
        }
        Ok(())
    }
}

/// One of them.
struct One<'a> {
    attempt: &'a Attempt,
}

struct Found {
    state: Option<RecipientState>,
    strikes: u32,
    local: bool,
}

impl Found {
    fn is_held(&self) -> bool {
        self.state == Some(RecipientState::Held)
    }
}

impl One<'_> {
    fn record(&self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Attempt {
            item,
            recipient,
            ref outcome,
            ..
        } = *self.attempt;
        if let Outcome::Delivered(status) = outcome {
            let state = RecipientState::Delivered;
            let ended = turn.end_young(item, recipient, |turn| {
                self.note(turn, EventKind::Delivered, Some(status))?;
                turn.end_recipient(item, recipient, state, Some(status), 1)
            })?;
            if ended.is_some() {
                return Ok(());
            }
        }
        turn.make_rows(item)?;
        let Some(found) = self.look(turn)? else {
            return Ok(());
        };
        // Held or ended while the attempt ran: a delivery of a held one still counts, and anything
        // else leaves it held. A delivery after an end changes no end and is written down, as the
        // message did arrive. Nothing else counts.
        match (found.state, &self.attempt.outcome) {
            (Some(RecipientState::Queued | RecipientState::Held), _) => self.count(turn, &found),
            (None | Some(RecipientState::Delivered), _) => Ok(()),
            (Some(_), Outcome::Delivered(status)) => {
                let status = status.clone();
                Ok(self.note(turn, EventKind::DeliveredLate, Some(&status))?)
            }
            (Some(_), _) => Ok(()),
        }
    }

    fn look(&self, turn: &Turn<'_>) -> rusqlite::Result<Option<Found>> {
        turn.db
            .prepare_cached(
                "SELECT state, strikes, account IS NOT NULL FROM recipient
                 WHERE item = ? AND n = ?",
            )?
            .query_row(
                params![self.attempt.item.as_i64(), self.attempt.recipient],
                |row| {
                    Ok(Found {
                        state: RecipientState::from_code(row.get(0)?),
                        strikes: row.get(1)?,
                        local: row.get(2)?,
                    })
                },
            )
            .optional()
    }

    fn count(&self, turn: &mut Turn<'_>, found: &Found) -> Result<(), StoreError> {
        match &self.attempt.outcome {
            Outcome::Delivered(status) => self.delivered(turn, status, found.local),
            Outcome::Deferred(status, again) => {
                turn.effects.put_away.push(self.attempt.item);
                self.note(turn, EventKind::Deferred, Some(status))?;
                self.wait(turn, found, status, *again, 0)
            }
            Outcome::Postponed(status, again) => {
                turn.effects.put_away.push(self.attempt.item);
                self.postpone(turn, status, *again)
            }
            Outcome::Failed(status) => {
                self.note(turn, EventKind::Failed, Some(status))?;
                self.owe(turn, found, status)
            }
            Outcome::Crashed(again) => {
                self.note(turn, EventKind::Crashed, None)?;
                let strikes = found.strikes + 1;
                let status = Status::new(EnhancedCode::new(4, 3, 0), "the delivery came to grief");
                self.wait(turn, found, &status, *again, strikes)?;
                let Attempt {
                    item, recipient, ..
                } = *self.attempt;
                if strikes >= STRIKES_MAX {
                    turn.set_aside(item, recipient)?;
                }
                Ok(())
            }
        }
    }

    fn delivered(
        &self,
        turn: &mut Turn<'_>,
        status: &Status,
        local: bool,
    ) -> Result<(), StoreError> {
        let Attempt {
            item, recipient, ..
        } = *self.attempt;
        self.note(turn, EventKind::Delivered, Some(status))?;
        if local {
            // It lies in a Maildir: the one place outside that counts as a mailbox of ours.
            turn.write(Write::AddDelivered, params![item.as_i64(), recipient, 0, 0])?;
        }
        let released = turn.end(item, recipient, RecipientState::Delivered, Some(status), 1)?;
        let released = released.as_deref().and_then(Spans::decode);
        for body in released.unwrap_or_default().bodies() {
            turn.refer(body, -1)?;
        }
        Ok(())
    }

    fn wait(
        &self,
        turn: &mut Turn<'_>,
        found: &Found,
        status: &Status,
        again: Timestamp,
        strikes: u32,
    ) -> Result<(), StoreError> {
        if found.is_held() {
            return self.stay(turn, status, strikes);
        }
        let lane = if found.local { Lane::Here } else { Lane::Again };
        // Never behind the back of whoever walks through the lane.
        let due = Some(again.max(turn.now).as_millis());
        turn.write(
            Write::WaitOn,
            params![
                self.attempt.since.as_millis(),
                due.filter(|_| !cfg!(planted = "no-due")),
                turn.now.as_millis(),
                lane.code(),
                status.to_string(),
                strikes,
                self.attempt.item.as_i64(),
                self.attempt.recipient
            ],
        )?;
        Ok(())
    }

    fn postpone(
        &self,
        turn: &mut Turn<'_>,
        status: &Status,
        again: Timestamp,
    ) -> Result<(), StoreError> {
        turn.write(
            Write::PutOff,
            params![
                self.attempt.since.as_millis(),
                again.max(turn.now).as_millis(),
                turn.now.as_millis(),
                status.to_string(),
                self.attempt.item.as_i64(),
                self.attempt.recipient
            ],
        )?;
        Ok(())
    }

    /// A report is owed, and due at once.
    fn owe(&self, turn: &mut Turn<'_>, found: &Found, status: &Status) -> Result<(), StoreError> {
        if found.is_held() {
            return self.stay(turn, status, 0);
        }
        turn.write(
            Write::OweReport,
            params![
                RecipientState::BounceOwed.code(),
                turn.now.as_millis(),
                Lane::Here.code(),
                status.to_string(),
                self.attempt.item.as_i64(),
                self.attempt.recipient
            ],
        )?;
        Ok(())
    }

    /// It stays held, and is in nobody's hands any more.
    fn stay(&self, turn: &mut Turn<'_>, status: &Status, strikes: u32) -> Result<(), StoreError> {
        turn.write(
            Write::StayHeld,
            params![
                status.to_string(),
                strikes,
                self.attempt.item.as_i64(),
                self.attempt.recipient
            ],
        )?;
        Ok(())
    }

    fn note(
        &self,
        turn: &mut Turn<'_>,
        kind: EventKind,
        status: Option<&Status>,
    ) -> rusqlite::Result<()> {
        turn.note_attempt(self.attempt, kind, status)
    }
}
