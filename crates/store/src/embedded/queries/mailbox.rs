//! Messages in folders.

use rusqlite::{Connection, OptionalExtension, params};

use mailtypes::ItemId;

use crate::directory::AccountId;
use crate::embedded::rows;
use crate::mailbox::EntryView;
use crate::spans::Spans;

/// Messages of a folder behind a UID.
pub(crate) fn entries(
    db: &Connection,
    account: AccountId,
    folder: &str,
    after: u32,
    limit: usize,
) -> rusqlite::Result<Vec<EntryView>> {
    db.prepare_cached(
        "SELECT e.uid, e.received, e.size, e.item FROM folder f JOIN entry e ON e.folder = f.id
         WHERE f.account = ? AND f.name = ? AND e.uid > ? ORDER BY e.uid LIMIT ?",
    )?
    .query_map(params![account.0, folder, after, limit], |row| {
        Ok(EntryView {
            uid: row.get(0)?,
            received: rows::time(row, 1)?,
            size: rows::unsigned(row, 2)?,
            item: rows::item(row, 3)?,
        })
    })?
    .collect()
}

/// The pieces of a message in a folder.
pub(crate) fn entry_spans(
    db: &Connection,
    account: AccountId,
    folder: &str,
    uid: u32,
) -> rusqlite::Result<Option<Spans>> {
    db.prepare_cached(
        "SELECT e.spans FROM folder f JOIN entry e ON e.folder = f.id
         WHERE f.account = ? AND f.name = ? AND e.uid = ?",
    )?
    .query_row(params![account.0, folder, uid], |row| row.get(0))
    .optional()?
    .map(|blob: Vec<u8>| decode(&blob))
    .transpose()
}

/// The pieces of a message in the queue.
pub(crate) fn item_spans(db: &Connection, item: ItemId) -> rusqlite::Result<Option<Spans>> {
    db.prepare_cached("SELECT spans FROM item WHERE id = ? AND spans IS NOT NULL")?
        .query_row([item.as_i64()], |row| row.get(0))
        .optional()?
        .map(|blob: Vec<u8>| decode(&blob))
        .transpose()
}

/// The pieces of a message in the queue, as a mailbox gets them.
pub(crate) fn final_spans(db: &Connection, item: ItemId) -> rusqlite::Result<Option<Spans>> {
    db.prepare_cached("SELECT spans, return_paths FROM item WHERE id = ? AND spans IS NOT NULL")?
        .query_row([item.as_i64()], |row| {
            let spans = decode(&row.get::<_, Vec<u8>>(0)?)?;
            let cuts = row.get_ref(1)?.as_str_or_null()?;
            rows::without_cuts(&spans, item.as_i64(), cuts)
                .ok_or_else(|| rows::bad(1, "damaged list of cuts"))
        })
        .optional()
}

fn decode(blob: &[u8]) -> rusqlite::Result<Spans> {
    Spans::decode(blob).ok_or_else(|| rows::bad(0, "damaged list of spans"))
}
