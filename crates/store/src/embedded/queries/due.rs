//! Recipients whose next attempt is due.

use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::embedded::rows;
use crate::item::Due;

/// What is due, as far as it can be read.
pub(crate) struct Found {
    pub(crate) due: Vec<Due>,
    pub(crate) damaged: Vec<Damaged>,
}

/// A recipient in the queue that cannot be read: item, number, and what is wrong.
pub(crate) struct Damaged {
    pub(crate) item: i64,
    pub(crate) recipient: u32,
    pub(crate) wrong: String,
}

/// Due recipients, earliest first. The embedded store has one node, which holds all shards.
pub(crate) fn due(db: &Connection, now: Timestamp, limit: usize) -> rusqlite::Result<Found> {
    let mut found = Found {
        due: Vec::new(),
        damaged: Vec::new(),
    };
    // The join keeps a recipient whose item is missing: it is damaged too.
    let mut query = db.prepare_cached(
        "SELECT r.item, r.n, r.address, r.account, r.attempts, i.accepted, i.size,
                i.reverse_path, i.body_type, i.smtputf8, i.require_tls
         FROM recipient r LEFT JOIN item i ON i.id = r.item
         WHERE r.due <= ? ORDER BY r.due LIMIT ?",
    )?;
    let mut rows = query.query(params![now.as_millis(), limit])?;
    while let Some(row) = rows.next()? {
        match parse(row) {
            Ok(due) => found.due.push(due),
            Err(wrong) => found.damaged.push(Damaged {
                item: row.get(0)?,
                recipient: row.get(1)?,
                wrong: wrong.to_string(),
            }),
        }
    }
    Ok(found)
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
