//! Orders of an operator: hold, release, retry, remove.

use mailtypes::{Host, ItemId};
use rusqlite::params;

use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::spans::Spans;
use crate::story::{EventKind, RecipientState};
use crate::{Action, OperateError};

/// What an operator wants of an item, or of its recipients at one host.
pub(crate) struct Operate {
    pub(crate) action: Action,
    pub(crate) item: ItemId,
    pub(crate) host: Option<Host>,
    pub(crate) by: String,
}

impl Order for Operate {
    type Answer = u32;
    type Error = OperateError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<u32, OperateError> {
        let (states, nothing) = applies_to(self.action);
        let found = self.in_state(turn, states)?;
        if found.is_empty() {
            return Err(self.not_applicable(turn, nothing));
        }
        for n in &found {
            match self.action {
                Action::Hold => self.hold(turn, *n)?,
                Action::Release | Action::Retry => self.due_now(turn, *n)?,
                Action::Remove => self.remove(turn, *n)?,
            }
        }
        let kind = match self.action {
            Action::Hold => EventKind::Held,
            Action::Release => EventKind::Released,
            Action::Retry => EventKind::Retried,
            // Each recipient has its own end.
            Action::Remove => return Ok(count(&found)),
        };
        turn.note(self.item, None, kind, None, &self.detail())?;
        Ok(count(&found))
    }
}

/// The states that an action applies to, and what is said when there is none of them.
fn applies_to(action: Action) -> (&'static [RecipientState], &'static str) {
    use RecipientState::{BounceOwed, Held, Queued};
    match action {
        Action::Hold => (&[Queued], "nothing of it waits to be delivered"),
        Action::Release => (&[Held, Queued], "nothing of it is held or waits"),
        Action::Retry => (&[Queued], "nothing of it waits to be delivered"),
        Action::Remove => (&[Queued, Held, BounceOwed], "all of it has ended already"),
    }
}

impl Operate {
    fn detail(&self) -> String {
        match &self.host {
            None => format!("by {}", self.by),
            Some(host) => format!("by {}, for {host}", self.by),
        }
    }

    fn hold(&self, turn: &Turn<'_>, n: u32) -> rusqlite::Result<()> {
        turn.db
            .prepare_cached(
                "UPDATE recipient SET state = ?, due = NULL, lane = NULL WHERE item = ? AND n = ?",
            )?
            .execute(params![RecipientState::Held.code(), self.item.as_i64(), n])?;
        Ok(())
    }

    fn due_now(&self, turn: &Turn<'_>, n: u32) -> rusqlite::Result<()> {
        turn.db
            .prepare_cached(
                "UPDATE recipient SET state = ?, due = ?,
                        lane = iif(account IS NOT NULL, 0, iif(attempts > 0 OR lane IS 2, 2, 1))
                 WHERE item = ? AND n = ?",
            )?
            .execute(params![
                RecipientState::Queued.code(),
                turn.now.as_millis(),
                self.item.as_i64(),
                n
            ])?;
        Ok(())
    }

    fn remove(&self, turn: &mut Turn<'_>, n: u32) -> rusqlite::Result<()> {
        let mut detail = self.detail();
        if self.is_in_hand(turn, n)? {
            detail.push_str(UNDER_WAY);
        }
        turn.note(self.item, Some(n), EventKind::Removed, None, &detail)?;
        let released = turn.end(self.item, n, RecipientState::Removed, None, 0)?;
        let released = released.as_deref().and_then(Spans::decode);
        for body in released.unwrap_or_default().bodies() {
            turn.refer(body, -1)?;
        }
        Ok(())
    }

    /// Whether an attempt has begun of which nobody has said how it ended.
    fn is_in_hand(&self, turn: &Turn<'_>, n: u32) -> rusqlite::Result<bool> {
        turn.db
            .prepare_cached(
                "SELECT 1 FROM recipient WHERE item = ? AND n = ? AND hands IS NOT NULL",
            )?
            .exists(params![self.item.as_i64(), n])
    }

    fn in_state(&self, turn: &Turn<'_>, states: &[RecipientState]) -> rusqlite::Result<Vec<u32>> {
        let mut query = turn.db.prepare_cached(
            "SELECT n, state FROM recipient WHERE item = ?1 AND (?2 IS NULL OR domain = ?2)
             ORDER BY n",
        )?;
        let host = self.host.as_ref().map(ToString::to_string);
        let rows = query.query_map(params![self.item.as_i64(), host], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (n, state): (u32, i64) = row?;
            if states.iter().any(|s| s.code() == state) {
                found.push(n);
            }
        }
        Ok(found)
    }

    fn not_applicable(&self, turn: &Turn<'_>, why: &'static str) -> OperateError {
        let known = turn
            .db
            .prepare_cached("SELECT 1 FROM item WHERE id = ?")
            .and_then(|mut query| query.exists([self.item.as_i64()]));
        match known {
            Ok(true) => OperateError::NotApplicable(why),
            Ok(false) => OperateError::NoSuchItem,
            Err(e) => e.into(),
        }
    }
}

/// The next host may have the message already, and what it says is not waited for.
const UNDER_WAY: &str = "; an attempt was under way: the message may arrive all the same";

fn count(list: &[u32]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
