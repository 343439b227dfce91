//! What a database holds, so that it can be compared across schemas.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

/// Each table: its rows, each with its columns by name.
pub(crate) type Content = BTreeMap<String, Vec<BTreeMap<String, Value>>>;

/// Reads all of it.
pub(crate) fn of(path: &Path) -> Content {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    tables
        .into_iter()
        .map(|table| {
            let rows = rows(&db, &table);
            (table, rows)
        })
        .collect()
}

fn rows(db: &Connection, table: &str) -> Vec<BTreeMap<String, Value>> {
    let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let of_row = |row: &rusqlite::Row<'_>| {
        let pairs = names.iter().enumerate();
        pairs
            .map(|(i, name)| Ok((name.clone(), row.get(i)?)))
            .collect()
    };
    statement
        .query_map([], of_row)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Whatever was there is there: each row of each table with all its values. What the upgrade is
/// meant to change is named here, and must have changed in that way only.
pub(crate) fn assert_kept(before: &Content, after: &Content) {
    assert!(before["recipient"].len() >= 5 && before["history"].len() >= 4);
    for (table, rows) in before {
        assert_eq!(rows.len(), after[table].len(), "rows of {table}");
        for (old, new) in rows.iter().zip(&after[table]) {
            for (column, value) in old {
                if !is_meant(table, column, old, new) {
                    let kept = new.get(column).unwrap_or(&Value::Null);
                    assert_eq!(value, kept, "{table}.{column} of {old:?}");
                }
            }
        }
    }
}

fn is_meant(
    table: &str,
    column: &str,
    old: &BTreeMap<String, Value>,
    new: &BTreeMap<String, Value>,
) -> bool {
    const BOUNCE_OWED: Value = Value::Integer(2);
    const FAR_AWAY: Value = Value::Integer(4_000_000_000_000);
    const NOW: Value = Value::Integer(1_790_000_000_000);
    match (table, column) {
        // The log goes on in a new segment.
        ("segment", "closed") => new[column] == Value::Integer(1),
        // Schema 2: a failure that has to be reported is due. And a wait that no schedule makes ends.
        ("recipient", "due") => {
            (old["state"] == BOUNCE_OWED
                && old[column] == Value::Null
                && new[column] != Value::Null)
                || (old[column] == FAR_AWAY && new[column] == NOW)
        }
        _ => false,
    }
}
