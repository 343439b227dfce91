//! Recipients whose next attempt is due.

use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::{Connection, params};

use crate::embedded::rows;
use crate::item::Due;

/// Due recipients, earliest first. The embedded store has one node, which holds all shards.
pub(crate) fn due(db: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Vec<Due>> {
    db.prepare_cached(
        "SELECT r.item, r.n, r.address, r.account, r.attempts, i.accepted, i.size,
                i.reverse_path, i.body_type, i.smtputf8, i.require_tls
         FROM recipient r JOIN item i ON i.id = r.item
         WHERE r.due <= ? ORDER BY r.due LIMIT ?",
    )?
    .query_map(params![now.as_millis(), limit], |row| {
        Ok(Due {
            item: rows::item(row, 0)?,
            recipient: row.get(1)?,
            address: rows::mailbox(row, 2)?,
            destination: rows::destination(row, 3)?,
            attempts: row.get(4)?,
            accepted: rows::time(row, 5)?,
            size: rows::unsigned(row, 6)?,
            envelope: rows::envelope(row, 7)?,
        })
    })?
    .collect()
}

/// How long until something is due.
pub(crate) fn next_due(db: &Connection, now: Timestamp) -> rusqlite::Result<Option<Duration>> {
    let next: Option<i64> = db
        .prepare_cached("SELECT min(due) FROM recipient WHERE due IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.map(|at| Timestamp::from_millis(at).since(now)))
}
