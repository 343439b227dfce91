//! The story of an item.

use mailtypes::{ItemId, Mailbox};
use rusqlite::{Connection, OptionalExtension, params};

use crate::embedded::rows;
use crate::limits::PAGE_MAX;
use crate::story::{Event, EventKind, ItemView};

/// Everything that is known of an item; the first recipients and the last events when there are
/// more than a page of them.
pub(crate) fn story(db: &Connection, item: ItemId) -> rusqlite::Result<Option<ItemView>> {
    let view = db
        .prepare_cached(
            "SELECT accepted, size, reverse_path, body_type, smtputf8, require_tls,
                    client, helo, protocol, login, tls, facts_form, facts
             FROM item WHERE id = ?",
        )?
        .query_row([item.as_i64()], |row| {
            Ok(ItemView {
                id: item,
                accepted: rows::time(row, 0)?,
                size: rows::unsigned(row, 1)?,
                envelope: rows::envelope(row, 2)?,
                origin: rows::origin(row, 6)?,
                facts: rows::facts(row, 11)?,
                recipients: Vec::new(),
                events: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut view) = view else {
        return Ok(None);
    };
    let columns = rows::RECIPIENT;
    view.recipients = db
        .prepare_cached(&format!(
            "SELECT {columns} FROM recipient WHERE item = ? ORDER BY n LIMIT ?"
        ))?
        .query_map(params![item.as_i64(), PAGE_MAX], rows::recipient)?
        .collect::<rusqlite::Result<_>>()?;
    view.events = events(db, item)?;
    Ok(Some(view))
}

fn events(db: &Connection, item: ItemId) -> rusqlite::Result<Vec<Event>> {
    let mut events: Vec<Event> = db
        .prepare_cached(
            "SELECT at, n, kind, status, detail, trail FROM history
             WHERE item = ? ORDER BY seq DESC LIMIT ?",
        )?
        .query_map(params![item.as_i64(), PAGE_MAX], |row| {
            let kind = EventKind::from_code(row.get(2)?);
            Ok(Event {
                at: rows::time(row, 0)?,
                recipient: row.get(1)?,
                kind: kind.ok_or_else(|| rows::bad(2, "unknown kind of event"))?,
                status: rows::status(row, 3)?,
                detail: row.get(4)?,
                trail: row.get(5)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    events.reverse();
    // An attempt is written down some time after its end.
    events.sort_by_key(|event| event.at);
    Ok(events)
}

/// Items that have to do with an address, newest first.
pub(crate) fn trace(
    db: &Connection,
    address: &Mailbox,
    before: Option<ItemId>,
    limit: usize,
) -> rusqlite::Result<Vec<ItemId>> {
    let key = address.folded().to_string();
    let before = before.map_or(i64::MAX, ItemId::as_i64);
    db.prepare_cached(
        "SELECT item FROM mention WHERE address = ?1 AND item < ?2 ORDER BY item DESC LIMIT ?3",
    )?
    .query_map(params![key, before, limit], |row| rows::item(row, 0))?
    .collect()
}
