//! A start that is refused leaves the folder as it found it, octet for octet.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailtypes::Timestamp;
use store::{Disk, DiskFile, Embedded, OldSchema, OpenError, Options, RealDisk, Space, Work};

use super::backup::{folder_of, old};

/// Every file below a folder: its mode and its octets.
fn all_of(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        if entry.file_type().unwrap().is_dir() {
            found.extend(all_of(&entry.path()));
            found.insert(entry.path(), (mode, Vec::new()));
        } else {
            let octets = std::fs::read(entry.path()).unwrap();
            found.insert(entry.path(), (mode, octets));
        }
    }
    found
}

fn options() -> Options {
    Options {
        work: Work::ThreadsOnDemand,
        ..Options::new(Arc::new(|| Timestamp::from_millis(1_790_000_000_000)))
    }
}

fn refusal(folder: &Path, options: Options) -> OpenError {
    match Embedded::open(folder, options) {
        Ok(_) => panic!("opened"),
        Err(error) => error,
    }
}

#[test]
fn a_newer_folder_is_untouched() {
    let folder = folder_of(3);
    // Others may look into it: that stays too.
    let open_to_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open_to_all).unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let before = all_of(folder.path());
    let refused = refusal(folder.path(), options());
    let newer = OpenError::Newer {
        found: 99,
        known: 4,
    };
    assert_eq!(refused.to_string(), newer.to_string());
    assert_eq!(all_of(folder.path()), before);
}

/// The newer program was killed: what makes the folder newer is in the WAL only.
#[test]
fn a_newer_folder_with_a_wal_is_untouched() {
    let folder = folder_of(3);
    let alive = folder_of(3);
    let db = rusqlite::Connection::open(alive.path().join("postrider.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    for with_shm in [true, false] {
        let names: &[&str] = if with_shm {
            &["postrider.db", "postrider.db-wal", "postrider.db-shm"]
        } else {
            &["postrider.db", "postrider.db-wal"]
        };
        let _ = std::fs::remove_file(folder.path().join("postrider.db-shm"));
        for name in names {
            std::fs::copy(alive.path().join(name), folder.path().join(name)).unwrap();
        }
        let mut before = all_of(folder.path());
        let refused = refusal(folder.path(), options());
        assert!(
            matches!(refused, OpenError::Newer { found: 99, .. }),
            "{refused}"
        );
        let mut after = all_of(folder.path());
        // The index of the WAL is no data: whoever opens the database makes it anew.
        let shm = folder.path().join("postrider.db-shm");
        before.remove(&shm);
        after.remove(&shm);
        assert_eq!(after, before);
    }
}

#[test]
fn an_old_folder_that_is_not_to_be_upgraded_is_untouched() {
    for schema in old() {
        let folder = folder_of(schema);
        let before = all_of(folder.path());
        let options = Options {
            old_schema: OldSchema::Refuse,
            ..options()
        };
        let refused = refusal(folder.path(), options);
        assert!(
            matches!(refused, OpenError::Older { found, known: 4 } if found == schema),
            "{refused}"
        );
        assert_eq!(all_of(folder.path()), before);
    }
}

#[test]
fn an_upgrade_without_room_changes_nothing() {
    for schema in old() {
        let folder = folder_of(schema);
        let octets = std::fs::metadata(folder.path().join("postrider.db")).unwrap();
        let wanted = 2 * octets.len() + 16 * 1024 * 1024;
        let before = all_of(folder.path());
        let with_free = |free| Options {
            disk: Some(Arc::new(Small::of(folder.path(), free))),
            ..options()
        };
        let refused = refusal(folder.path(), with_free(wanted - 1));
        let OpenError::NoRoom {
            found,
            needed,
            free,
        } = refused
        else {
            panic!("{refused}")
        };
        assert_eq!((found, needed, free), (schema, wanted, wanted - 1));
        let mut after = all_of(folder.path());
        // The number of the process that had the folder, for people.
        after.remove(&folder.path().join("lock"));
        assert_eq!(after, before);
        let store = Embedded::open(folder.path(), with_free(wanted)).unwrap();
        assert!(store.upgraded().is_some());
    }
}

/// The first look takes a copy that is there for the one that it needs.
#[test]
fn without_room_beside_a_copy_of_another_day_the_schema_stays() {
    for schema in old() {
        let folder = folder_of(schema);
        let db = folder.path().join("postrider.db");
        let copy = format!("postrider.db.schema-{schema}.backup");
        std::fs::write(folder.path().join(copy), "mine").unwrap();
        let len = std::fs::metadata(&db).unwrap().len();
        let with_free = |free| Options {
            disk: Some(Arc::new(Small::of(folder.path(), free))),
            ..options()
        };
        let refused = refusal(folder.path(), with_free(len + 16 * 1024 * 1024));
        assert!(matches!(refused, OpenError::NoRoom { .. }), "{refused}");
        let left = rusqlite::Connection::open(&db).unwrap();
        let version: u32 = left
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, schema);
        drop(left);
        let store = Embedded::open(folder.path(), options()).unwrap();
        assert!(store.upgraded().is_some());
    }
}

/// The bodies may lie on another disk than the database and its copy.
#[test]
fn the_room_for_a_copy_is_that_beside_the_database() {
    let folder = folder_of(2);
    let Some(other) = on_another_disk(folder.path()) else {
        eprintln!("skipped: upgrade.two-disks: /dev/shm is no disk of its own");
        return;
    };
    std::fs::remove_dir_all(folder.path().join("bodies")).unwrap();
    std::os::unix::fs::symlink(other.path(), folder.path().join("bodies")).unwrap();
    make_huge(&folder.path().join("postrider.db"));
    let OpenError::NoRoom { free, .. } = refusal(folder.path(), options()) else {
        panic!("there is room")
    };
    let of = |path: &Path| RealDisk::open(path).unwrap().space().unwrap().free;
    // Others write meanwhile.
    let (here, there) = (of(folder.path()), of(other.path()));
    assert!(
        free.abs_diff(here) < free.abs_diff(there),
        "{free} of {here} or {there}"
    );
}

fn on_another_disk(folder: &Path) -> Option<tempfile::TempDir> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).unwrap().dev();
    let other = tempfile::tempdir_in("/dev/shm").ok()?;
    (device(other.path()) != device(folder)).then_some(other)
}

/// A file with a hole, and its length in the head of the database: more than a disk has room for.
fn make_huge(db: &Path) {
    const OCTETS: u64 = 4 << 40;
    let file = File::options().read(true).write(true).open(db).unwrap();
    let mut page_len = [0; 2];
    DiskFile::read_exact_at(&file, &mut page_len, 16).unwrap();
    file.set_len(OCTETS).unwrap();
    let pages = OCTETS / u64::from(u16::from_be_bytes(page_len));
    let pages = u32::try_from(pages).unwrap().to_be_bytes();
    DiskFile::write_all_at(&file, &pages, 28).unwrap();
}

/// A copy of a damaged database is worth nothing, and an upgrade would make it worse.
#[test]
fn a_copy_that_is_not_whole_stops_the_upgrade() {
    for schema in old() {
        let folder = folder_of(schema);
        let db = folder.path().join("postrider.db");
        // A page that the start does not need itself.
        let ask = |query| -> usize {
            let db = rusqlite::Connection::open(&db).unwrap();
            db.query_row(query, [], |row| row.get(0)).unwrap()
        };
        let page = ask("SELECT rootpage FROM sqlite_schema WHERE name = 'mention'");
        let begin = (page - 1) * ask("PRAGMA page_size");
        let mut octets = std::fs::read(&db).unwrap();
        octets[begin..begin + 512].fill(0xA5);
        std::fs::write(&db, &octets).unwrap();
        let refused = refusal(folder.path(), options());
        assert!(matches!(refused, OpenError::NoBackup { .. }), "{refused}");
        let names: Vec<_> = all_of(folder.path()).into_keys().collect();
        assert!(
            !names
                .iter()
                .any(|name| name.to_string_lossy().contains("backup")),
            "{names:?}"
        );
        let left = rusqlite::Connection::open(&db).unwrap();
        let version: u32 = left
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, schema);
    }
}

/// The real disk with less room on it.
struct Small {
    disk: RealDisk,
    free: u64,
}

impl Small {
    fn of(folder: &Path, free: u64) -> Self {
        Self {
            disk: RealDisk::open(&folder.join("bodies")).unwrap(),
            free,
        }
    }
}

impl Disk for Small {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }
    fn space(&self) -> io::Result<Space> {
        let total = self.disk.space()?.total;
        Ok(Space {
            free: self.free,
            total,
        })
    }
}
