//! Opening the database file: settings, migrations, epochs.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use mailtypes::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::OpenError;
use crate::limits::WAIT_MAX;

/// Each step brings a database from the version before it to its own number.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_outgoing.sql"),
    include_str!("../../migrations/0003_journal.sql"),
    include_str!("../../migrations/0004_lives.sql"),
];

/// The newest schema that this program knows.
pub(crate) fn schema_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

/// Opens the database for writing, makes it when missing, and brings it up to date.
#[cfg(test)]
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut db = connect_known(path)?;
    migrate(&mut db)?;
    Ok(db)
}

/// Opens the database for writing, as it is, or an empty one. One of a newer version is refused.
pub(crate) fn connect_known(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path, WRITER_CACHE)?;
    let found = schema_of(&db)?;
    if found > schema_version() {
        return Err(OpenError::Newer {
            found,
            known: schema_version(),
        });
    }
    Ok(db)
}

/// Brings a database up to date: all the steps, or none of them.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), OpenError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = schema_of(&tx)?;
    let steps = MIGRATIONS
        .iter()
        .skip(usize::try_from(found).unwrap_or(usize::MAX));
    for step in steps {
        tx.execute_batch(step)?;
    }
    if found < schema_version() {
        tx.pragma_update(None, "user_version", schema_version())?;
    }
    tx.commit()?;
    Ok(())
}

/// The number of the schema that a database has; 0 is none yet.
pub(crate) fn schema_of(db: &Connection) -> rusqlite::Result<u32> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Ends waits that no schedule makes: a clock that was far ahead may have written them.
pub(crate) fn shorten_waits(db: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let longest = (now + WAIT_MAX).as_millis();
    let shortened = db.execute(SHORTEN_WAITS, params![now.as_millis(), longest, longest])?;
    if shortened > 0 {
        tracing::warn!(
            recipients = shortened,
            "their next attempt was too far away (a clock that was ahead?): it is due now"
        );
    }
    Ok(())
}

/// What waits has a lane; naming them all lets the index find the few instead of a start reading all of it.
const SHORTEN_WAITS: &str = "UPDATE recipient SET due = ?
    WHERE lane IN (0, 1, 2) AND due > ?
    AND NOT EXISTS (SELECT 1 FROM item WHERE id = recipient.item AND hold_until > ?)";

/// Opens the database again after an error, and brings all that it holds down to the disk: what
/// is found in it afterwards is durable.
pub(crate) fn reopen(path: &Path) -> rusqlite::Result<(Connection, Box<[i64; 256]>)> {
    let db = connect(path, WRITER_CACHE)?;
    let busy: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some("a reader keeps the checkpoint from ending".to_owned()),
        ));
    }
    let epochs = load_epochs(&db)?;
    Ok((db, epochs))
}

/// Brings what the WAL holds down into the database file, and cuts it. Answers whether that was done:
/// who reads, or makes a checkpoint, is waited for only a moment.
pub(crate) fn cut_wal(db: &Connection) -> rusqlite::Result<bool> {
    db.busy_timeout(CHECKPOINT_BUSY)?;
    let cut = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get::<_, i64>(0)
    });
    db.busy_timeout(BUSY)?;
    Ok(cut? == 0)
}

/// Opens the database once more, for checkpoints.
pub(crate) fn open_again(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path, READER_CACHE)?;
    db.busy_timeout(CHECKPOINT_BUSY)?;
    Ok(db)
}

/// Opens the database for reading only.
pub(crate) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path, READER_CACHE)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

/// Opens a database to look at it, and changes neither the file nor what lies beside it.
pub(crate) fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    // Without a WAL nothing but the file counts, and none is made.
    let whole = std::fs::metadata(wal).map_or(true, |wal| wal.len() == 0);
    let mut uri = String::from("file:");
    for octet in path.as_os_str().as_bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*octet));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str(if whole { "?immutable=1" } else { "?mode=ro" });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags)?;
    db.busy_timeout(BUSY)?;
    Ok(db)
}

/// The epoch of each shard's lease; 0 where nobody has ever held one.
pub(crate) fn load_epochs(db: &Connection) -> rusqlite::Result<Box<[i64; 256]>> {
    let mut epochs = Box::new([0; 256]);
    let mut rows = db.prepare("SELECT shard, epoch FROM lease")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let shard: u8 = row.get(0)?;
        epochs[usize::from(shard)] = row.get(1)?;
    }
    Ok(epochs)
}

fn connect(path: &Path, cache: i64) -> rusqlite::Result<Connection> {
    let db = Connection::open(path)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    db.busy_timeout(BUSY)?;
    // Plans that do not depend on bound values: else some statements are parsed at each use.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Only a new file takes it.
    db.pragma_update(None, "page_size", PAGE_LEN)?;
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA temp_store = MEMORY;",
    )?;
    db.pragma_update(None, "cache_size", cache)?;
    Ok(db)
}

/// Pages that the writer keeps in memory; SQLite takes KiB as negative numbers. They fill up with a
/// growing database: more would be memory that creeps up for days and saves little, for what is not
/// in here the system has.
const WRITER_CACHE: i64 = -8 * 1024;
/// And each reader: one long list would fill more and never give it back.
const READER_CACHE: i64 = -1024;
/// Octets of a page. Each commit writes the last page of a dozen indexes whole: small pages cost a
/// message a fifth less writing than SQLite's usual 4096, and no time.
const PAGE_LEN: u32 = 2048;
const STATEMENTS_KEPT: usize = 128;
/// How long a checkpoint waits for readers and the writer before it leaves the rest for later.
const CHECKPOINT_BUSY: std::time::Duration = std::time::Duration::from_millis(100);
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lane;

    #[test]
    fn waits_without_a_schedule_end_in_every_lane() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("postrider.db")).unwrap();
        let (now, far) = (Timestamp::EPOCH, (Timestamp::EPOCH + WAIT_MAX).as_millis());
        let lanes = [Lane::Here, Lane::Fresh, Lane::Again];
        for (item, lane) in (1..).zip(lanes) {
            for (n, due) in [(0, far), (1, far + 1)] {
                db.execute(
                    "INSERT INTO recipient (item, n, address, domain, original, reason, state, due, lane)
                     VALUES (?, ?, '', '', '', '', 0, ?, ?)",
                    params![item, n, due, lane.code()],
                )
                .unwrap();
            }
        }
        shorten_waits(&db, now).unwrap();
        let mut rows = db.prepare("SELECT due FROM recipient ORDER BY n").unwrap();
        let dues: Vec<i64> = rows
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(dues, [far, far, far, 0, 0, 0]);
    }

    /// A confined server has no folder for temporary files: SQLite must ask for none, however many pages
    /// a savepoint or a sort goes over.
    #[test]
    fn no_statement_needs_a_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("postrider.db")).unwrap();
        db.execute_batch(
            "CREATE TABLE much (id INTEGER PRIMARY KEY, text TEXT);
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
                 INSERT INTO much SELECT n, hex(randomblob(500)) FROM n;
             BEGIN IMMEDIATE;
             SAVEPOINT one;
             UPDATE much SET text = lower(text);",
        )
        .unwrap();
        let mut sorted = db.prepare("SELECT id FROM much ORDER BY text").unwrap();
        let mut rows = sorted.query([]).unwrap();
        assert!(rows.next().unwrap().is_some());
        let open: Vec<_> = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .map(|path| path.to_string_lossy().into_owned())
            // With a name that it takes back, or without one (O_TMPFILE).
            .filter(|path| ["/etilqs_", "/#"].iter().any(|name| path.contains(name)))
            .collect();
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn a_start_does_not_read_the_whole_queue() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("postrider.db")).unwrap();
        let mut plan = db
            .prepare(&format!("EXPLAIN QUERY PLAN {SHORTEN_WAITS}"))
            .unwrap();
        let steps = plan
            .query_map([0, 0, 0], |row| row.get::<_, String>(3))
            .unwrap();
        for step in steps {
            let step = step.unwrap();
            assert!(!step.starts_with("SCAN"), "{step}");
        }
    }
}
