//! An upgrade keeps the database as it was, in a copy that nothing writes over.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::{content, copy_folder, fixture, kit::*, open};

const NEWEST: u32 = 4;

/// Every schema that there has been before the newest.
pub(super) fn old() -> impl Iterator<Item = u32> {
    1..NEWEST
}

/// A data folder of a schema.
pub(super) fn folder_of(schema: u32) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&fixture(schema), copy.path());
    copy
}

fn backups(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("backup"))
        .collect();
    found.sort();
    found
}

fn close(store: store::Embedded) {
    store.close();
    drop(store);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_as_it_was_is_kept_whole() {
    for schema in old() {
        let folder = folder_of(schema);
        let before = content::of(&folder.path().join("postrider.db"));
        let store = open(folder.path());
        let name = format!("postrider.db.schema-{schema}.backup");
        let path = folder.path().join(name);
        let told = store.upgraded().unwrap();
        assert_eq!((told.from, told.to, &told.backup), (schema, NEWEST, &path));
        assert_eq!(backups(folder.path()), std::slice::from_ref(&path));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        content::assert_kept(&before, &content::of(&path));
        let copy = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let ask = |query| copy.query_row(query, [], |row| row.get::<_, String>(0));
        assert_eq!(ask("PRAGMA integrity_check").unwrap(), "ok");
        let version = "SELECT CAST(user_version AS TEXT) FROM pragma_user_version";
        assert_eq!(ask(version).unwrap(), schema.to_string());
        close(store);
        // Nothing is left to upgrade.
        let again = open(folder.path());
        assert!(again.upgraded().is_none());
        assert_books_balance(&again).await;
    }
    let newest = folder_of(NEWEST);
    assert!(open(newest.path()).upgraded().is_none());
    assert_eq!(backups(newest.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_start_that_died_behind_the_copy_is_gone_on_with() {
    for schema in old() {
        let done = folder_of(schema);
        close(open(done.path()));
        let made = backups(done.path()).remove(0);
        let folder = folder_of(schema);
        let path = folder.path().join(made.file_name().unwrap());
        std::fs::copy(&made, &path).unwrap();
        std::fs::write(folder.path().join("postrider.db.backup-unfinished"), "x").unwrap();
        let store = open(folder.path());
        assert_eq!(store.upgraded().unwrap().backup, path);
        assert_eq!(backups(folder.path()), std::slice::from_ref(&path));
        assert_eq!(std::fs::read(path).unwrap(), std::fs::read(made).unwrap());
    }
}

#[test]
fn a_copy_of_another_day_stays_beside_the_new_one() {
    for schema in old() {
        let folder = folder_of(schema);
        let other = folder
            .path()
            .join(format!("postrider.db.schema-{schema}.backup"));
        // Of a day when the account was not there yet; then something that is no database.
        std::fs::copy(folder.path().join("postrider.db"), &other).unwrap();
        let db = Connection::open(&other).unwrap();
        db.execute("DELETE FROM account", []).unwrap();
        drop(db);
        let second = folder
            .path()
            .join(format!("postrider.db.schema-{schema}.backup-2"));
        std::fs::write(&second, "mine").unwrap();
        let kept = [&other, &second].map(|path| std::fs::read(path).unwrap());
        let store = open(folder.path());
        let third = folder
            .path()
            .join(format!("postrider.db.schema-{schema}.backup-3"));
        assert_eq!(store.upgraded().unwrap().backup, third);
        assert_eq!(
            [&other, &second].map(|path| std::fs::read(path).unwrap()),
            kept
        );
    }
}

/// An old program on the copy finds no open segment in it: what the new one has promised since
/// lies in segments that the copy does not know.
#[tokio::test(flavor = "multi_thread")]
async fn the_copy_has_nothing_of_the_new_program_to_repeat() {
    for schema in old() {
        let folder = folder_of(schema);
        let store = open(folder.path());
        let ann = [("x@far.example", store::Destination::Remote)];
        accept(&store, b"Subject: later\r\n\r\n", &ann).await;
        close(store);
        let name = format!("postrider.db.schema-{schema}.backup");
        let copy = content::of(&folder.path().join(name));
        let named: Vec<_> = copy["segment"]
            .iter()
            .map(|row| (row["id"].clone(), row["closed"].clone()))
            .collect();
        assert_eq!(named, [(1.into(), 1.into())]);
        let on_disk = std::fs::metadata(folder.path().join("bodies/000001.seg")).unwrap();
        let end = i64::try_from(on_disk.len()).unwrap();
        assert_eq!(copy["segment"][0]["end"], end.into());
    }
}
