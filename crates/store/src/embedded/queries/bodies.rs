//! Reads every body there is and compares it with its checksum.

use mailtypes::ItemId;
use rusqlite::{Connection, params};

use crate::body_log::{BodyReader, Place};
use crate::embedded::source::Rows;
use crate::report::Problem;

/// The next bodies behind `after`.
pub(crate) fn page(db: &Connection, after: i64, limit: usize) -> rusqlite::Result<Vec<i64>> {
    db.prepare_cached("SELECT id FROM body WHERE id > ? ORDER BY id LIMIT ?")?
        .query_map(params![after, limit], |row| row.get(0))?
        .collect()
}

/// Reads one body; answers its length and what is wrong with it.
pub(crate) fn check(db: &Connection, bodies: &BodyReader, id: i64) -> (u64, Option<Problem>) {
    match bodies.open(&Rows(db), id) {
        Ok(Some(body)) => match body.verify(id) {
            Ok(None) => (body.place.length, None),
            Ok(Some(what)) => (body.place.length, Some(problem(db, id, body.place, what))),
            Err(e) => (
                body.place.length,
                Some(problem(db, id, body.place, &format!("unreadable: {e}"))),
            ),
        },
        Ok(None) => (0, None), // it went while we looked
        Err(e) => {
            let text = format!("its body cannot be opened: {e}");
            (
                0,
                Some(Problem {
                    item: ItemId::from_i64(id),
                    text: with_owners(db, id, text),
                }),
            )
        }
    }
}

fn problem(db: &Connection, id: i64, place: Place, what: &str) -> Problem {
    let text = format!(
        "the body is damaged ({what}; segment {:06}, offset {})",
        place.segment, place.at
    );
    Problem {
        item: ItemId::from_i64(id),
        text: with_owners(db, id, text),
    }
}

/// Names the mailboxes that have the message, so that somebody can be told.
fn with_owners(db: &Connection, id: i64, text: String) -> String {
    let owners = || -> rusqlite::Result<Vec<String>> {
        db.prepare_cached(
            "SELECT a.address, f.name, e.uid FROM entry e
             JOIN folder f ON f.id = e.folder JOIN account a ON a.id = f.account
             WHERE e.item = ? AND a.address IS NOT NULL LIMIT 10",
        )?
        .query_map([id], |row| {
            let (address, folder): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("{address} {folder} UID {}", row.get::<_, u32>(2)?))
        })?
        .collect()
    };
    match owners() {
        Ok(list) if !list.is_empty() => format!("{text}; it lies in {}", list.join(", ")),
        _ => text,
    }
}
