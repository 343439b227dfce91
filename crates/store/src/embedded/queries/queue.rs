//! The list of items that are still open.

use mailtypes::ItemId;
use rusqlite::{Connection, params};

use crate::embedded::rows;
use crate::story::{QueueLine, RecipientView, Selection};

/// Selected items with open recipients behind `after`, oldest first.
pub(crate) fn queue(
    db: &Connection,
    selection: &Selection,
    after: Option<ItemId>,
    limit: usize,
) -> rusqlite::Result<Vec<QueueLine>> {
    let host = selection.host.as_ref().map(ToString::to_string);
    let sender = selection.sender.as_ref().map(ToString::to_string);
    let mut lines: Vec<QueueLine> = db
        .prepare_cached(
            "SELECT id, accepted, reverse_path, size, open FROM item
             WHERE open > 0 AND id > ?1
               AND (?2 IS NULL OR id = ?2)
               AND (?3 IS NULL OR reverse_path = ?3 COLLATE NOCASE)
               AND (?4 IS NULL OR accepted < ?4)
               AND (?5 IS NULL OR EXISTS (SELECT 1 FROM recipient r
                    WHERE r.item = item.id AND r.domain = ?5 AND r.state < 10))
             ORDER BY id LIMIT ?6",
        )?
        .query_map(
            params![
                after.map_or(-1, ItemId::as_i64),
                selection.item.map(ItemId::as_i64),
                sender,
                selection
                    .accepted_before
                    .map(mailtypes::Timestamp::as_millis),
                host,
                limit
            ],
            |row| {
                Ok(QueueLine {
                    id: rows::item(row, 0)?,
                    accepted: rows::time(row, 1)?,
                    reverse_path: rows::reverse_path(row, 2)?,
                    size: rows::unsigned(row, 3)?,
                    open: row.get(4)?,
                    recipients: Vec::new(),
                })
            },
        )?
        .collect::<rusqlite::Result<_>>()?;
    for line in &mut lines {
        line.recipients = open_recipients(db, line.id, host.as_deref())?;
    }
    Ok(lines)
}

fn open_recipients(
    db: &Connection,
    item: ItemId,
    host: Option<&str>,
) -> rusqlite::Result<Vec<RecipientView>> {
    let columns = rows::RECIPIENT;
    db.prepare_cached(&format!(
        "SELECT {columns} FROM recipient
         WHERE item = ?1 AND state < 10 AND (?2 IS NULL OR domain = ?2) ORDER BY n LIMIT ?3"
    ))?
    .query_map(params![item.as_i64(), host, SHOWN_MAX], rows::recipient)?
    .collect()
}

/// Recipients that a line of the list shows.
const SHOWN_MAX: usize = 10;
