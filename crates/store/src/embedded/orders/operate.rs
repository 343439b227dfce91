//! Orders of an operator: hold, release, remove.

use mailtypes::ItemId;
use rusqlite::params;

use crate::OperateError;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};

pub(crate) struct Hold {
    pub(crate) item: ItemId,
    pub(crate) by: String,
}

pub(crate) struct Release {
    pub(crate) item: ItemId,
    pub(crate) by: String,
}

pub(crate) struct Remove {
    pub(crate) item: ItemId,
    pub(crate) by: String,
}

impl Order for Hold {
    type Answer = u32;
    type Error = OperateError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<u32, OperateError> {
        let waiting = in_state(turn, self.item, &[RecipientState::Queued])?;
        if waiting.is_empty() {
            return Err(not_applicable(
                turn,
                self.item,
                "nothing of it waits to be delivered",
            ));
        }
        turn.db
            .prepare_cached(
                "UPDATE recipient SET state = ?, due = NULL WHERE item = ? AND state = ?",
            )?
            .execute(params![
                RecipientState::Held.code(),
                self.item.as_i64(),
                RecipientState::Queued.code()
            ])?;
        turn.note(
            self.item,
            None,
            EventKind::Held,
            None,
            &format!("by {}", self.by),
        )?;
        Ok(count(&waiting))
    }
}

impl Order for Release {
    type Answer = u32;
    type Error = OperateError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<u32, OperateError> {
        let held = in_state(
            turn,
            self.item,
            &[RecipientState::Held, RecipientState::Queued],
        )?;
        if held.is_empty() {
            return Err(not_applicable(
                turn,
                self.item,
                "nothing of it is held or waits",
            ));
        }
        turn.db
            .prepare_cached(
                "UPDATE recipient SET state = ?, due = ? WHERE item = ? AND state IN (?, ?)",
            )?
            .execute(params![
                RecipientState::Queued.code(),
                turn.now.as_millis(),
                self.item.as_i64(),
                RecipientState::Held.code(),
                RecipientState::Queued.code()
            ])?;
        turn.note(
            self.item,
            None,
            EventKind::Released,
            None,
            &format!("by {}", self.by),
        )?;
        Ok(count(&held))
    }
}

impl Order for Remove {
    type Answer = u32;
    type Error = OperateError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<u32, OperateError> {
        let open = in_state(
            turn,
            self.item,
            &[
                RecipientState::Queued,
                RecipientState::Held,
                RecipientState::BounceOwed,
            ],
        )?;
        if open.is_empty() {
            return Err(not_applicable(
                turn,
                self.item,
                "all of it has ended already",
            ));
        }
        for n in &open {
            let detail = format!("by {}", self.by);
            turn.note(self.item, Some(*n), EventKind::Removed, None, &detail)?;
            let released = turn.end(self.item, *n, RecipientState::Removed, None, 0)?;
            let released = released
                .as_deref()
                .and_then(Spans::decode)
                .unwrap_or_default();
            for body in released.bodies() {
                turn.refer(body, -1)?;
            }
        }
        Ok(count(&open))
    }
}

fn in_state(
    turn: &Turn<'_>,
    item: ItemId,
    states: &[RecipientState],
) -> rusqlite::Result<Vec<u32>> {
    let mut query = turn
        .db
        .prepare_cached("SELECT n, state FROM recipient WHERE item = ? ORDER BY n")?;
    let rows = query.query_map([item.as_i64()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (n, state): (u32, i64) = row?;
        if states.iter().any(|s| s.code() == state) {
            found.push(n);
        }
    }
    Ok(found)
}

fn not_applicable(turn: &Turn<'_>, item: ItemId, why: &'static str) -> OperateError {
    let known = turn
        .db
        .prepare_cached("SELECT 1 FROM item WHERE id = ?")
        .and_then(|mut query| query.exists([item.as_i64()]));
    match known {
        Ok(true) => OperateError::NotApplicable(why),
        Ok(false) => OperateError::NoSuchItem,
        Err(e) => e.into(),
    }
}

fn count(list: &[u32]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
