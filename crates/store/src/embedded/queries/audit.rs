//! Proves that every accepted recipient has exactly one end or is in the queue.

use std::collections::HashMap;

use mailtypes::ItemId;
use rusqlite::{Connection, params};

use crate::report::{Problem, Totals};
use crate::story::RecipientState;

/// Recipients that are not at their end, as the books have it: to count them takes a second for a million.
pub(crate) fn open(db: &Connection) -> rusqlite::Result<u64> {
    let sum =
        "SELECT coalesce(sum(accepted - delivered - bounced - suppressed - removed), 0) FROM daily";
    db.query_row(sum, [], |row| row.get(0).map(count))
}

/// The books of all time, read in one snapshot.
pub(crate) fn totals(db: &Connection) -> rusqlite::Result<Totals> {
    let open: i64 = db.query_row(
        "SELECT coalesce(sum(open), 0) FROM item WHERE open > 0",
        [],
        |row| row.get(0),
    )?;
    db.query_row(
        "SELECT coalesce(sum(accepted), 0), coalesce(sum(delivered), 0), coalesce(sum(bounced), 0),
                coalesce(sum(suppressed), 0), coalesce(sum(removed), 0) FROM daily",
        [],
        |row| {
            Ok(Totals {
                accepted: count(row.get(0)?),
                delivered: count(row.get(1)?),
                bounced: count(row.get(2)?),
                suppressed: count(row.get(3)?),
                removed: count(row.get(4)?),
                open: count(open),
            })
        },
    )
}

/// Looks through the items behind `after`. Answers where to go on, `None` at the end.
pub(crate) fn page(
    db: &Connection,
    after: i64,
    limit: usize,
    problems: &mut Vec<Problem>,
) -> rusqlite::Result<Option<i64>> {
    let items: Vec<Item> = db
        .prepare_cached(
            "SELECT i.id, i.open, i.spans IS NOT NULL, b.refs FROM item i
             LEFT JOIN body b ON b.id = i.id WHERE i.id > ? ORDER BY i.id LIMIT ?",
        )?
        .query_map(params![after, limit], |row| {
            Ok(Item {
                id: row.get(0)?,
                open: row.get(1)?,
                has_spans: row.get(2)?,
                refs: row.get(3)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let Some(last) = items.last().map(|item| item.id) else {
        return Ok(None);
    };
    let ends = grouped(
        db,
        "SELECT item, n, count(*) FROM history
         WHERE item > ? AND item <= ? AND kind >= 10 AND n IS NOT NULL GROUP BY item, n",
        (after, last),
    )?;
    let delivered = grouped(
        db,
        "SELECT item, n, count(*) FROM delivered WHERE item > ? AND item <= ? GROUP BY item, n",
        (after, last),
    )?;
    let open = recipients(db, (after, last), &ends, &delivered, problems)?;
    let entries = entries(db, (after, last))?;
    for item in items {
        let found = open.get(&item.id).copied().unwrap_or(0);
        let entries = entries.get(&item.id).copied().unwrap_or(0);
        let wrongs = item.wrongs(found, entries);
        problems.extend(wrongs.into_iter().map(|text| problem(item.id, text)));
    }
    Ok(Some(last))
}

struct Item {
    id: i64,
    open: i64,
    has_spans: bool,
    refs: Option<i64>,
}

impl Item {
    fn wrongs(&self, open: i64, entries: i64) -> Vec<String> {
        let mut wrongs = Vec::new();
        if self.open != open {
            wrongs.push(format!("says {} open recipients and has {open}", self.open));
        }
        if self.has_spans != (self.open > 0) {
            wrongs.push("its message and its open recipients do not belong together".to_owned());
        }
        let expected = entries + i64::from(self.has_spans);
        if self.refs.unwrap_or(0) != expected {
            let refs = self
                .refs
                .map_or("no body".to_owned(), |n| format!("{n} references"));
            wrongs.push(format!("has {refs} where {expected} refer to its body"));
        }
        wrongs
    }
}

/// Checks each recipient; answers how many are open, by item.
fn recipients(
    db: &Connection,
    (after, last): (i64, i64),
    ends: &HashMap<(i64, i64), i64>,
    delivered: &HashMap<(i64, i64), i64>,
    problems: &mut Vec<Problem>,
) -> rusqlite::Result<HashMap<i64, i64>> {
    let mut open = HashMap::new();
    let mut query = db.prepare_cached(
        "SELECT item, n, address, state, due IS NOT NULL, account IS NOT NULL,
                lane IS NOT iif(due IS NULL, NULL, iif(account IS NOT NULL OR state = 2, 0,
                    iif(attempts = 0 AND lane = 1, 1, 2)))
         FROM recipient WHERE item > ? AND item <= ?",
    )?;
    let mut rows = query.query([after, last])?;
    while let Some(row) = rows.next()? {
        let key: (i64, i64) = (row.get(0)?, row.get(1)?);
        let found = Recipient {
            state: RecipientState::from_code(row.get(3)?),
            due: row.get(4)?,
            local: row.get(5)?,
            astray: row.get(6)?,
            ends: ends.get(&key).copied().unwrap_or(0),
            delivered: delivered.get(&key).copied().unwrap_or(0),
        };
        if found.state.is_some_and(|state| !state.is_end()) {
            *open.entry(key.0).or_default() += 1;
        }
        if let Some(text) = found.wrong() {
            let address: String = row.get(2)?;
            problems.push(problem(key.0, format!("recipient {address}: {text}")));
        }
    }
    Ok(open)
}

struct Recipient {
    state: Option<RecipientState>,
    due: bool,
    local: bool,
    /// In another lane than that where it is looked for.
    astray: bool,
    ends: i64,
    delivered: i64,
}

impl Recipient {
    fn wrong(&self) -> Option<String> {
        let Some(state) = self.state else {
            return Some("is in no known state".to_owned());
        };
        let word = state.as_str();
        let expected_ends = i64::from(state.is_end());
        let in_mailbox = state == RecipientState::Delivered && self.local;
        if self.ends != expected_ends {
            Some(format!(
                "is {word} and has {} ends in its history",
                self.ends
            ))
        } else if self.due != matches!(state, RecipientState::Queued | RecipientState::BounceOwed) {
            let has = if self.due { "a" } else { "no" };
            Some(format!("is {word} and has {has} next attempt"))
        } else if self.astray {
            Some(format!(
                "is {word} and stands in a lane where nobody looks for it"
            ))
        } else if self.delivered != i64::from(in_mailbox) {
            Some(format!(
                "is {word} and lies in {} mailboxes",
                self.delivered
            ))
        } else {
            None
        }
    }
}

/// How many mailbox entries refer to the body of each item.
fn entries(db: &Connection, (after, last): (i64, i64)) -> rusqlite::Result<HashMap<i64, i64>> {
    db.prepare_cached(
        "SELECT d.item, count(*) FROM delivered d
         JOIN entry e ON e.folder = d.folder AND e.uid = d.uid
         WHERE d.item > ? AND d.item <= ? GROUP BY d.item",
    )?
    .query_map([after, last], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

fn grouped(
    db: &Connection,
    query: &str,
    (after, last): (i64, i64),
) -> rusqlite::Result<HashMap<(i64, i64), i64>> {
    db.prepare_cached(query)?
        .query_map([after, last], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
        })?
        .collect()
}

fn problem(item: i64, text: String) -> Problem {
    Problem {
        item: ItemId::from_i64(item),
        text,
    }
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(state: RecipientState, due: bool, ends: i64, delivered: i64) -> bool {
        Recipient {
            state: Some(state),
            due,
            local: true,
            astray: false,
            ends,
            delivered,
        }
        .wrong()
        .is_some()
    }

    #[test]
    fn each_state_has_one_right_shape() {
        use RecipientState::{BounceOwed, Delivered, Held, Queued, Removed};
        for (state, due, ends, delivered) in [
            (Queued, true, 0, 0),
            (Held, false, 0, 0),
            (BounceOwed, true, 0, 0),
            (Delivered, false, 1, 1),
            (Removed, false, 1, 0),
        ] {
            assert!(!wrong(state, due, ends, delivered), "{state:?}");
            assert!(
                wrong(state, !due, ends, delivered),
                "{state:?} with the other due"
            );
            assert!(
                wrong(state, due, ends + 1, delivered),
                "{state:?} with an end too many"
            );
            assert!(
                wrong(state, due, ends, delivered + 1),
                "{state:?} delivered once too often"
            );
        }
        assert!(wrong(Delivered, false, 0, 1), "delivered without a trace");
        assert!(wrong(Delivered, false, 1, 0), "delivered nowhere");
        assert!(
            Recipient {
                state: None,
                due: false,
                local: true,
                astray: false,
                ends: 0,
                delivered: 0
            }
            .wrong()
            .is_some()
        );
    }
}
