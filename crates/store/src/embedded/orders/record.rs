//! What came of an attempt.

use rusqlite::{OptionalExtension, params};

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::item::{Attempt, Lease, Outcome};
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};

pub(crate) struct RecordAttempt {
    pub(crate) lease: Lease,
    pub(crate) attempt: Attempt,
}

impl Order for RecordAttempt {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        let Attempt {
            item,
            recipient,
            ref outcome,
            ref detail,
        } = self.attempt;
        turn.check_lease(&self.lease, item)?;
        let state: Option<i64> = turn
            .db
            .prepare_cached("SELECT state FROM recipient WHERE item = ? AND n = ?")?
            .query_row(params![item.as_i64(), recipient], |row| row.get(0))
            .optional()?;
        // Held or ended while the attempt ran: a delivery of a held one still counts, one after an
        // end changes no end and is written down, as the message did arrive. Nothing else counts.
        let state = state.and_then(RecipientState::from_code);
        match (state, outcome) {
            (Some(RecipientState::Queued), _)
            | (Some(RecipientState::Held), Outcome::Delivered(_)) => {}
            (None | Some(RecipientState::Delivered), _) => return Ok(()),
            (Some(_), Outcome::Delivered(status)) => {
                let kind = EventKind::DeliveredLate;
                turn.note(item, Some(recipient), kind, Some(status), detail)?;
                return Ok(());
            }
            _ => return Ok(()),
        }
        match outcome {
            Outcome::Delivered(status) => {
                turn.note(
                    item,
                    Some(recipient),
                    EventKind::Delivered,
                    Some(status),
                    detail,
                )?;
                let released =
                    turn.end(item, recipient, RecipientState::Delivered, Some(status), 1)?;
                let released = released
                    .as_deref()
                    .and_then(Spans::decode)
                    .unwrap_or_default();
                for body in released.bodies() {
                    turn.refer(body, -1)?;
                }
            }
            Outcome::Deferred(status, again) => {
                turn.note(
                    item,
                    Some(recipient),
                    EventKind::Deferred,
                    Some(status),
                    detail,
                )?;
                turn.db
                    .prepare_cached(
                        "UPDATE recipient SET due = ?, attempts = attempts + 1, status = ?
                         WHERE item = ? AND n = ?",
                    )?
                    .execute(params![
                        again.as_millis(),
                        status.to_string(),
                        item.as_i64(),
                        recipient
                    ])?;
            }
            Outcome::Failed(status) => {
                turn.note(
                    item,
                    Some(recipient),
                    EventKind::Failed,
                    Some(status),
                    detail,
                )?;
                turn.db
                    .prepare_cached(
                        "UPDATE recipient SET state = ?, due = NULL, attempts = attempts + 1,
                                status = ? WHERE item = ? AND n = ?",
                    )?
                    .execute(params![
                        RecipientState::BounceOwed.code(),
                        status.to_string(),
                        item.as_i64(),
                        recipient
                    ])?;
            }
        }
        Ok(())
    }
}
