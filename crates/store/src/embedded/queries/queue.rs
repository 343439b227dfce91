//! The list of items that are still open.

use mailtypes::ItemId;
use rusqlite::{Connection, params};

use crate::embedded::rows;
use crate::story::{QueueLine, RecipientView};

/// Items with open recipients behind `after`, oldest first.
pub(crate) fn queue(
    db: &Connection,
    after: Option<ItemId>,
    limit: usize,
) -> rusqlite::Result<Vec<QueueLine>> {
    let mut lines: Vec<QueueLine> = db
        .prepare_cached(
            "SELECT id, accepted, reverse_path, size, open FROM item
             WHERE open > 0 AND id > ? ORDER BY id LIMIT ?",
        )?
        .query_map(params![after.map_or(-1, ItemId::as_i64), limit], |row| {
            Ok(QueueLine {
                id: rows::item(row, 0)?,
                accepted: rows::time(row, 1)?,
                reverse_path: rows::reverse_path(row, 2)?,
                size: rows::unsigned(row, 3)?,
                open: row.get(4)?,
                recipients: Vec::new(),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    for line in &mut lines {
        line.recipients = open_recipients(db, line.id)?;
    }
    Ok(lines)
}

fn open_recipients(db: &Connection, item: ItemId) -> rusqlite::Result<Vec<RecipientView>> {
    let columns = rows::RECIPIENT;
    db.prepare_cached(&format!(
        "SELECT {columns} FROM recipient WHERE item = ? AND state < 10 ORDER BY n LIMIT ?"
    ))?
    .query_map(params![item.as_i64(), SHOWN_MAX], rows::recipient)?
    .collect()
}

/// Recipients that a line of the list shows.
const SHOWN_MAX: usize = 10;
