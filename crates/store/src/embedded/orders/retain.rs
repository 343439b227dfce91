//! Clearing away: old stories, and the mail of removed accounts. Always in small groups.

use mailtypes::{Mailbox, Timestamp};
use rusqlite::params;

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::rows;
use crate::embedded::turn::Turn;
use crate::limits::RETAIN_GROUP;
use crate::spans::Spans;

/// Forgets stories that ended before a time, however long ago the message was accepted. Daily
/// totals stay, so the audit balances.
pub(crate) struct ForgetStories {
    pub(crate) before: Timestamp,
}

impl Order for ForgetStories {
    /// Whether there may be more.
    type Answer = bool;
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let found: Vec<(i64, usize)> = turn
            .db
            .prepare_cached(
                "SELECT id, (SELECT count(*) FROM recipient WHERE item = id) FROM item
                 WHERE ended < ? AND open = 0 ORDER BY ended LIMIT ?",
            )?
            .query_map(params![self.before.as_millis(), RETAIN_GROUP], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        // Items with many recipients count for as many rows; one goes in any case.
        let mut rows = 0;
        let mut forgotten = 0;
        for (id, recipients) in &found {
            rows += recipients;
            if forgotten > 0 && rows > RETAIN_GROUP {
                break;
            }
            forget(turn, *id)?;
            forgotten += 1;
        }
        Ok(forgotten < found.len() || found.len() == RETAIN_GROUP)
    }
}

fn forget(turn: &Turn<'_>, id: i64) -> Result<(), StoreError> {
    for address in mentioned(turn, id)? {
        turn.db
            .prepare_cached("DELETE FROM mention WHERE address = ? AND item = ?")?
            .execute(params![address.folded().to_string(), id])?;
    }
    for statement in [
        "DELETE FROM history WHERE item = ?",
        "DELETE FROM delivered WHERE item = ?",
        "DELETE FROM recipient WHERE item = ?",
        "DELETE FROM item WHERE id = ?",
    ] {
        turn.db.prepare_cached(statement)?.execute([id])?;
    }
    Ok(())
}

/// The addresses that an item was written down under, as far as they can still be read: a damaged
/// one leaves its mention behind, and does not keep all later stories from going.
fn mentioned(turn: &Turn<'_>, id: i64) -> rusqlite::Result<Vec<Mailbox>> {
    let sender = turn
        .db
        .prepare_cached("SELECT reverse_path FROM item WHERE id = ?")?
        .query_row([id], |row| Ok(rows::reverse_path(row, 0).ok()))?;
    let mut addresses: Vec<Mailbox> = sender
        .and_then(|sender| sender.mailbox().cloned())
        .into_iter()
        .collect();
    let mut query = turn
        .db
        .prepare_cached("SELECT address, original, via FROM recipient WHERE item = ?")?;
    let mut recipients = query.query([id])?;
    while let Some(row) = recipients.next()? {
        addresses.extend(rows::mailbox(row, 0));
        // `Postmaster` alone is no mailbox, and was not written down.
        addresses.extend(rows::mailbox(row, 1));
        addresses.extend(rows::mailboxes(row, 2).unwrap_or_default());
    }
    Ok(addresses)
}

/// Removes entries and folders of accounts that have been removed.
pub(crate) struct PurgeAccounts;

impl Order for PurgeAccounts {
    /// Whether there may be more.
    type Answer = bool;
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let entries: Vec<(i64, i64, Vec<u8>)> = turn
            .db
            .prepare_cached(
                "SELECT e.folder, e.uid, e.spans FROM account a
                 JOIN folder f ON f.account = a.id JOIN entry e ON e.folder = f.id
                 WHERE a.address IS NULL LIMIT ?",
            )?
            .query_map([RETAIN_GROUP], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<Result<_, _>>()?;
        for (folder, uid, spans) in &entries {
            turn.db
                .prepare_cached("DELETE FROM entry WHERE folder = ? AND uid = ?")?
                .execute([folder, uid])?;
            for body in Spans::decode(spans).unwrap_or_default().bodies() {
                turn.refer(body, -1)?;
            }
        }
        if entries.is_empty() {
            turn.db.execute(
                "DELETE FROM folder WHERE account IN (SELECT id FROM account WHERE address IS NULL)",
                [],
            )?;
            turn.db
                .execute("DELETE FROM account WHERE address IS NULL", [])?;
        }
        Ok(entries.len() == RETAIN_GROUP)
    }
}
