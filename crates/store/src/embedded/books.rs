//! The books of a commit: the end of the log, live octets, daily totals.

use mailtypes::Timestamp;
use rusqlite::{Connection, params};

use super::effects::{Effects, Tally};

/// Writes the books of a commit: the segment that bodies and entries go to with its end, live octets,
/// daily totals. Answers the segments without a live body, whose rows are gone with this commit.
pub(crate) fn write_effects(
    db: &Connection,
    effects: &Effects,
    named: Option<(i64, u64)>,
    now: Timestamp,
) -> rusqlite::Result<Vec<i64>> {
    if let Some((id, end)) = named {
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let known = db
            .prepare_cached("UPDATE segment SET end = ? WHERE id = ?")?
            .execute(params![end, id])?;
        if known == 0 {
            db.execute(
                "UPDATE segment SET closed = 1 WHERE closed = 0 AND id <> ?",
                [id],
            )?;
            db.execute(
                "INSERT INTO segment (id, closed, end, live) VALUES (?, 0, ?, 0)",
                params![id, end],
            )?;
        }
    }
    let mut dead = Vec::new();
    for (segment, octets) in &effects.live {
        db.prepare_cached("UPDATE segment SET live = live + ? WHERE id = ?")?
            .execute([octets, segment])?;
        if *octets <= 0 {
            let gone = db
                .prepare_cached(
                    "DELETE FROM segment WHERE id = ?1 AND live <= 0 AND closed = 1
                       AND NOT EXISTS (SELECT 1 FROM body WHERE segment = ?1)",
                )?
                .execute([segment])?;
            dead.extend((gone > 0).then_some(*segment));
        }
    }
    let tally = effects.tally;
    if tally != Tally::default() {
        db.prepare_cached(
            "INSERT INTO daily (day, accepted, delivered, bounced, suppressed, removed)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (day) DO UPDATE SET accepted = accepted + excluded.accepted,
               delivered = delivered + excluded.delivered, bounced = bounced + excluded.bounced,
               suppressed = suppressed + excluded.suppressed, removed = removed + excluded.removed",
        )?
        .execute(params![
            now.as_days(),
            tally.accepted,
            tally.delivered,
            tally.bounced,
            tally.suppressed,
            tally.removed,
        ])?;
    }
    Ok(dead)
}
