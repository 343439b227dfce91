//! Data folders of other versions and other owners.

use super::*;

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let millis = Arc::new(AtomicI64::new(0));
    let disk = MemoryDisk::default();
    open(folder.path(), &disk, &millis).unwrap().close();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let refused = open(folder.path(), &disk, &millis);
    assert!(matches!(
        refused,
        Err(OpenError::Newer {
            found: 99,
            known: 4
        })
    ));
}

#[test]
fn two_programs_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let millis = Arc::new(AtomicI64::new(0));
    let disk = MemoryDisk::default();
    let first = open(folder.path(), &disk, &millis).unwrap();
    let Err(OpenError::InUse(holder)) = open(folder.path(), &disk, &millis) else {
        panic!("opened twice")
    };
    assert_eq!(holder.pid, Some(std::process::id()));
    first.close();
    drop(first);
    open(folder.path(), &disk, &millis).unwrap();
}

#[test]
fn the_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("a/b");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let clock = Arc::new(|| Timestamp::EPOCH);
    Embedded::open(&folder, Options::new(clock))
        .unwrap()
        .close();
    for path in [folder.clone(), folder.join("bodies")] {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
    let database = std::fs::metadata(folder.join("postrider.db")).unwrap();
    assert_eq!(database.permissions().mode() & 0o777, 0o600);
}
