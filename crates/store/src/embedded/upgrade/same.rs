//! Whether two databases hold the same, row by row.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Rows};

/// Compares the definitions of all tables and indexes, and every row of every table. It keeps one
/// row of each in memory.
pub(super) fn same_content(a: &Connection, b: &Connection) -> rusqlite::Result<bool> {
    if !same_rows(a, b, "PRAGMA user_version")? || !same_rows(a, b, DEFINITIONS)? {
        return Ok(false);
    }
    for table in tables(a)? {
        // A scan goes by the key of the table, in both alike.
        let quoted = table.replace('"', "\"\"");
        if !same_rows(a, b, &format!("SELECT * FROM \"{quoted}\" NOT INDEXED"))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn tables(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn same_rows(a: &Connection, b: &Connection, query: &str) -> rusqlite::Result<bool> {
    let (mut a, mut b) = (a.prepare(query)?, b.prepare(query)?);
    let columns = a.column_count();
    let (mut a, mut b) = (a.query([])?, b.query([])?);
    if columns != columns_of(&b) {
        return Ok(false);
    }
    loop {
        match (a.next()?, b.next()?) {
            (None, None) => return Ok(true),
            (Some(a), Some(b)) => {
                for column in 0..columns {
                    let pair: (ValueRef<'_>, ValueRef<'_>) =
                        (a.get_ref(column)?, b.get_ref(column)?);
                    if pair.0 != pair.1 {
                        return Ok(false);
                    }
                }
            }
            _ => return Ok(false),
        }
    }
}

fn columns_of(rows: &Rows<'_>) -> usize {
    rows.as_ref().map_or(0, rusqlite::Statement::column_count)
}

const DEFINITIONS: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE t (a, b); CREATE TABLE k (a PRIMARY KEY) WITHOUT ROWID;
        INSERT INTO t VALUES (1, 'x'), (2, NULL); INSERT INTO k VALUES (x'00'), (7);";

    fn same(a: &str, b: &str) -> bool {
        let [a, b] = [a, b].map(|text| {
            let db = Connection::open_in_memory().unwrap();
            db.execute_batch(text).unwrap();
            db
        });
        same_content(&a, &b).unwrap()
    }

    #[test]
    fn any_difference_is_seen() {
        assert!(same(FIRST, FIRST));
        for change in [
            "UPDATE t SET b = 'y' WHERE a = 1",
            "UPDATE t SET b = '' WHERE a = 2",
            "DELETE FROM t WHERE a = 2",
            "INSERT INTO k VALUES (8)",
            "CREATE INDEX i ON t (a)",
            "CREATE TABLE u (a)",
            "PRAGMA user_version = 3",
        ] {
            assert!(!same(FIRST, &format!("{FIRST}{change}")), "{change}");
            assert!(!same(&format!("{FIRST}{change}"), FIRST), "{change}");
        }
    }
}
