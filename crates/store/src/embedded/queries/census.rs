//! Counts what lies in the queue and in the body log, without looking at each item.

use mailtypes::{ItemId, Timestamp};
use rusqlite::{Connection, params};

use crate::limits::CENSUS_AGES;
use crate::report::Census;

/// One pass over the index of what is due, which holds all that is asked here.
pub(crate) fn census(db: &Connection, now: Timestamp) -> rusqlite::Result<Census> {
    let mut census = waiting(db, now)?;
    // What is held stands in no index: it is what the books have open beyond the rest.
    let open: i64 = db.query_row(
        "SELECT coalesce(sum(accepted - delivered - bounced - suppressed - removed), 0) FROM daily",
        [],
        |row| row.get(0),
    )?;
    let open = u64::try_from(open).unwrap_or(0);
    census.held = open.saturating_sub(census.due + census.deferred);
    (census.log_octets, census.live_octets) = db.query_row(
        "SELECT coalesce(sum(end), 0), coalesce(sum(live), 0) FROM segment",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(census)
}

fn waiting(db: &Connection, now: Timestamp) -> rusqlite::Result<Census> {
    let made_before = CENSUS_AGES.map(|age| ItemId::generate(now - age, 0).as_i64());
    let [a, b, c, d, e] = made_before;
    db.prepare_cached(
        "SELECT coalesce(sum(due <= ?1), 0), coalesce(sum(due > ?1), 0), min(item),
                coalesce(sum(item < ?2), 0), coalesce(sum(item < ?3), 0),
                coalesce(sum(item < ?4), 0), coalesce(sum(item < ?5), 0),
                coalesce(sum(item < ?6), 0)
         FROM recipient INDEXED BY recipient_due WHERE due IS NOT NULL",
    )?
    .query_row(params![now.as_millis(), a, b, c, d, e], |row| {
        let oldest: Option<i64> = row.get(2)?;
        let oldest = oldest.and_then(ItemId::from_i64);
        Ok(Census {
            due: row.get(0)?,
            deferred: row.get(1)?,
            oldest: oldest.map(|item| now.since(item.made_at())),
            older: [
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(7)?,
            ],
            ..Census::default()
        })
    })
}
