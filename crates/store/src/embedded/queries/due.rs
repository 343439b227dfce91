//! Recipients whose next attempt is due.

use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::{Connection, Row, params};
use tracing::error;

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
        let due = parse(row);
        if let Err(error) = &due {
            // One damaged row must not keep the others from being delivered.
            let (item, n): (i64, u32) = (row.get(0)?, row.get(1)?);
            error!(item, n, %error, "a recipient in the queue is damaged and left alone");
        }
        Ok(due.ok())
    })?
    .filter_map(Result::transpose)
    .collect()
}

fn parse(row: &Row<'_>) -> rusqlite::Result<Due> {
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
}

/// How long until something is due.
pub(crate) fn next_due(db: &Connection, now: Timestamp) -> rusqlite::Result<Option<Duration>> {
    let next: Option<i64> = db
        .prepare_cached("SELECT min(due) FROM recipient WHERE due IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.map(|at| Timestamp::from_millis(at).since(now)))
}
