//! Recipients whose next attempt is due.

use std::sync::LazyLock;

use mailtypes::{Host, ItemId, Timestamp};
use rusqlite::{Connection, Row, Rows, params};

use crate::embedded::rows;
use crate::embedded::turn::Turn;
use crate::item::{Cursor, Due, Lane, NewItem};

/// What is due, as far as it can be read.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) due: Vec<Due>,
    pub(crate) damaged: Vec<Damaged>,
    /// The last place before the time up to which nothing can be added any more.
    pub(crate) next: Option<Cursor>,
    /// When the first one of the lane becomes due that is not yet, unless there is more that is.
    pub(crate) later: Option<Timestamp>,
}

/// A recipient in the queue that cannot be read: item, number, and what is wrong.
pub(crate) struct Damaged {
    pub(crate) item: i64,
    pub(crate) recipient: u32,
    pub(crate) wrong: String,
}

/// What holds for one look into the queue.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// The time of the turn: what is written later is due no earlier.
    pub(crate) now: Timestamp,
    /// The epoch of whoever looks: marks of another one are of a process that died.
    pub(crate) epoch: i64,
}

/// Due recipients of a lane, earliest first. The embedded store has one node, which holds all shards.
pub(crate) fn due(
    turn: &Turn<'_>,
    look: Look,
    lane: Lane,
    after: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Found> {
    let from = after.unwrap_or(Cursor::FRONT);
    let mut query = turn.db.prepare_cached(&IN_LANE)?;
    let rows = query.query(params![
        lane.code(),
        look.now.as_millis(),
        from.due,
        from.item,
        from.recipient,
        limit
    ])?;
    let mut seen = read(rows, look)?;
    add_young(&mut seen, turn.young.in_lane(lane), look, from, limit);
    let full = seen.len() >= limit;
    let mut found = gather(seen, look, after);
    if !full {
        let young = turn.young.in_lane(lane).map(|due| due.due);
        let young = young.filter(|due| *due > look.now).min();
        let other = later(turn.db, lane, look.now)?;
        found.later = young.into_iter().chain(other).min();
    }
    Ok(found)
}

/// Due recipients of a lane at one host that is not ours, earliest first.
pub(crate) fn due_at(
    turn: &Turn<'_>,
    look: Look,
    host: &Host,
    lane: Lane,
    after: Option<Cursor>,
    limit: usize,
) -> rusqlite::Result<Found> {
    let from = after.unwrap_or(Cursor::FRONT);
    let mut query = turn.db.prepare_cached(&AT_HOST)?;
    let rows = query.query(params![
        host.to_string(),
        lane.code(),
        look.now.as_millis(),
        from.due,
        from.item,
        from.recipient,
        limit
    ])?;
    let mut seen = read(rows, look)?;
    let young = turn.young.in_lane(lane);
    let young = young.filter(|due| due.address.host == *host);
    add_young(&mut seen, young, look, from, limit);
    Ok(gather(seen, look, after))
}

/// A recipient that is due, or is damaged, with its place in the lane.
type Seen = (Cursor, Result<Due, Damaged>);

/// Puts those without rows among the others.
fn add_young<'a>(
    seen: &mut Vec<Seen>,
    young: impl Iterator<Item = &'a Due>,
    look: Look,
    from: Cursor,
    limit: usize,
) {
    let young = young.map(|due| (Cursor::at(due), due));
    let mut young: Vec<_> = young
        .filter(|(at, due)| due.due <= look.now && *at > from)
        .collect();
    if young.is_empty() {
        return;
    }
    young.sort_unstable_by_key(|(at, _)| *at);
    young.truncate(limit);
    seen.extend(young.into_iter().map(|(at, due)| (at, Ok(due.clone()))));
    seen.sort_by_key(|(at, _)| *at);
    seen.truncate(limit);
}

// SQLite is told which index to take: without figures about the tables it may well go through a whole
// lane to find what waits for one host. The join keeps a recipient whose item is missing: it is damaged
// too.

static IN_LANE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM recipient r INDEXED BY recipient_due
         LEFT JOIN item i ON i.id = r.item LEFT JOIN account a ON a.id = r.account
         WHERE r.lane = ?1 AND r.due IS NOT NULL AND r.due <= ?2
           AND (r.due, r.item, r.n) > (?3, ?4, ?5)
         ORDER BY r.due, r.item, r.n LIMIT ?6"
    )
});

static AT_HOST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM recipient r INDEXED BY recipient_domain
         LEFT JOIN item i ON i.id = r.item LEFT JOIN account a ON a.id = r.account
         WHERE r.domain = ?1 AND r.lane = ?2 AND r.lane > 0 AND r.due <= ?3
           AND (r.due, r.item, r.n) > (?4, ?5, ?6)
         ORDER BY r.due, r.item, r.n LIMIT ?7"
    )
});

fn read(mut rows: Rows<'_>, look: Look) -> rusqlite::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    while let Some(row) = rows.next()? {
        let (item, recipient, due) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let at = Cursor {
            due,
            item,
            recipient,
        };
        let damaged = |wrong: rusqlite::Error| Damaged {
            item,
            recipient,
            wrong: wrong.to_string(),
        };
        seen.push((at, parse(row, look.epoch).map_err(damaged)));
    }
    Ok(seen)
}

fn gather(seen: Vec<Seen>, look: Look, after: Option<Cursor>) -> Found {
    let settled = |(at, _): &&Seen| at.due < look.now.as_millis();
    let next = seen.iter().filter(settled).map(|(at, _)| *at).max();
    let mut found = Found {
        next: next.max(after),
        ..Found::default()
    };
    for (_, one) in seen {
        match one {
            Ok(due) => found.due.push(due),
            Err(damaged) => found.damaged.push(damaged),
        }
    }
    found
}

const COLUMNS: &str = "r.item, r.n, r.due, r.address, r.account, r.attempts, r.state, r.told,
    r.hands, r.strikes, a.maildir, i.accepted, i.size, i.has_8bit,
    i.reverse_path, i.body_type, i.smtputf8, i.require_tls, r.via,
    i.longest_line, r.lane";

fn parse(row: &Row<'_>, epoch: i64) -> rusqlite::Result<Due> {
    let state: i64 = row.get(6)?;
    let hands: Option<i64> = row.get(8)?;
    Ok(Due {
        item: rows::item(row, 0)?,
        recipient: row.get(1)?,
        due: rows::time(row, 2)?,
        lane: Lane::of_code(row.get(20)?).ok_or_else(|| rows::bad(20, "unknown lane"))?,
        address: rows::mailbox(row, 3)?,
        destination: rows::destination(row, 4)?,
        attempts: row.get(5)?,
        owed: state == crate::RecipientState::BounceOwed.code(),
        told: row.get(7)?,
        suspect: hands.is_some_and(|hands| hands / 2 != epoch),
        strikes: row.get(9)?,
        maildir: row.get(10)?,
        accepted: rows::time(row, 11)?,
        size: rows::unsigned(row, 12)?,
        has_8bit: row.get(13)?,
        envelope: rows::envelope(row, 14)?,
        sent_on_by: rows::mailboxes(row, 18)?.pop(),
        longest_line: rows::unsigned(row, 19)?,
    })
}

/// What [`parse`] will read of the first recipient of a message that comes in for another server.
pub(crate) fn of_new(id: ItemId, item: &NewItem, body_len: u64, now: Timestamp) -> Due {
    let to = &item.recipients[0];
    Due {
        item: id,
        recipient: 0,
        due: now,
        lane: Lane::Fresh,
        address: to.address.clone(),
        destination: to.destination,
        attempts: 0,
        owed: false,
        told: false,
        suspect: false,
        strikes: 0,
        maildir: None,
        accepted: now,
        size: item.added.len() as u64 + body_len,
        has_8bit: item.shape.has_8bit,
        envelope: item.envelope.clone(),
        sent_on_by: to.via.last().cloned(),
        longest_line: item.shape.longest_line,
    }
}

/// When the first one of a lane becomes due of those that are not due at `now`.
fn later(db: &Connection, lane: Lane, now: Timestamp) -> rusqlite::Result<Option<Timestamp>> {
    let due: Option<i64> = db
        .prepare_cached("SELECT min(due) FROM recipient WHERE lane = ? AND due > ?")?
        .query_row([lane.code(), now.as_millis()], |row| row.get(0))?;
    Ok(due.map(Timestamp::from_millis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::database;

    #[test]
    fn a_look_reads_what_it_answers_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let db = database::open(&folder.path().join("postrider.db")).unwrap();
        let place = "(due,item,n)>(?,?,?) AND due<?";
        for (query, how) in [
            (&IN_LANE, format!("recipient_due (lane=? AND {place})")),
            (
                &AT_HOST,
                format!("recipient_domain (domain=? AND lane=? AND {place})"),
            ),
        ] {
            let mut plan = db
                .prepare(&format!("EXPLAIN QUERY PLAN {}", **query))
                .unwrap();
            let values = vec![0; plan.parameter_count()];
            let steps = plan
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap();
            let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
            assert!(steps[0].ends_with(&how), "{steps:?}");
            let sorts = |step: &String| step.contains("TEMP B-TREE");
            assert!(!steps.iter().any(sorts), "{steps:?}");
        }
    }
}
