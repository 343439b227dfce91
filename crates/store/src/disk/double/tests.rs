use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn written(disk: &MemoryDisk, name: &str, text: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.create(name).unwrap();
    file.write_all_at(text, 0).unwrap();
    file
}

fn synced(disk: &MemoryDisk, name: &str, text: &[u8]) -> Arc<dyn DiskFile> {
    let file = written(disk, name, text);
    file.sync_data().unwrap();
    disk.sync_folder().unwrap();
    file
}

fn content(disk: &MemoryDisk, name: &str) -> Option<Vec<u8>> {
    let file = disk.open(name).ok()?;
    let mut octets = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_exact_at(&mut octets, 0).unwrap();
    Some(octets)
}

/// What many power cuts leave of a disk, each different thing once.
fn left(disk: &MemoryDisk, look: impl Fn(&MemoryDisk) -> String) -> Vec<String> {
    let mut found: Vec<String> = (0..200).map(|_| look(&disk.after_power_cut())).collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn what_was_synced_outlives_every_power_cut() {
    let disk = MemoryDisk::seeded(1);
    synced(&disk, "a", b"one");
    let found = left(&disk, |after| format!("{:?}", content(after, "a")));
    assert_eq!(found, [format!("{:?}", Some(b"one"))]);
}

#[test]
fn a_write_that_was_not_synced_survives_is_lost_or_is_torn() {
    let disk = MemoryDisk::seeded(1);
    let file = synced(&disk, "a", &[b'a'; 1024]);
    file.write_all_at(&[b'b'; 1024], 0).unwrap();
    let found = left(&disk, |after| {
        let octets = content(after, "a").unwrap();
        let blocks = octets.chunks(512).map(|block| {
            assert!(block.iter().all(|octet| *octet == block[0]));
            char::from(block[0])
        });
        blocks.collect()
    });
    assert_eq!(found, ["aa", "ab", "ba", "bb"]);
}

#[test]
fn a_file_is_there_for_sure_only_when_its_folder_was_synced() {
    let disk = MemoryDisk::seeded(1);
    let file = written(&disk, "a", b"one");
    file.sync_data().unwrap();
    let names = |after: &MemoryDisk| after.list().unwrap().join(" ");
    assert_eq!(left(&disk, names), ["", "a"]);
    disk.sync_folder().unwrap();
    disk.rename("a", "b").unwrap();
    assert_eq!(left(&disk, names), ["a", "b"]);
    disk.sync_folder().unwrap();
    disk.remove("b").unwrap();
    assert_eq!(left(&disk, names), ["", "b"]);
}

/// After a failed sync the next one is fine, and what was given up can be read for a while.
#[test]
fn what_a_failed_sync_has_given_up_is_never_written() {
    let mut seen = [0; 2];
    for seed in 0..100 {
        let disk = MemoryDisk::seeded(seed);
        let file = synced(&disk, "a", b"old");
        file.write_all_at(b"new", 0).unwrap();
        disk.set_odds(Odds {
            sync: 1,
            ..Odds::default()
        });
        assert!(file.sync_data().is_err());
        disk.set_odds(Odds::default());
        let now = content(&disk, "a").unwrap();
        file.sync_data().unwrap();
        let after = content(&disk.after_power_cut(), "a").unwrap();
        seen[0] += usize::from(now == b"new" && after == b"old");
        seen[1] += usize::from(after == b"new");
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn a_full_disk_takes_nothing_more_and_empties_again() {
    let disk = MemoryDisk::seeded(1);
    let file = synced(&disk, "a", b"one");
    disk.set_full(true);
    assert_eq!(disk.space().unwrap().for_new_mail(), 0);
    let refused = file.write_all_at(b"two", 3).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert!(disk.create("b").is_err());
    file.write_all_at(b"ONE", 0).unwrap();
    disk.set_full(false);
    assert!(disk.space().unwrap().for_new_mail() > 0);
    file.write_all_at(b"two", 3).unwrap();
    assert_eq!(content(&disk, "a").unwrap(), b"ONEtwo");
}

#[test]
fn a_disk_ends_at_any_step_and_nothing_reaches_it_afterwards() {
    let mut found = Vec::new();
    for steps in 0.. {
        let disk = MemoryDisk::seeded(1);
        let told = Arc::new(AtomicUsize::new(0));
        let hears = Arc::clone(&told);
        disk.end_in(steps, move || {
            hears.fetch_add(1, Ordering::Relaxed);
        });
        let used = || -> io::Result<()> {
            let file = disk.create("a")?;
            file.write_all_at(b"one", 0)?;
            file.sync_data()?;
            disk.sync_folder()
        };
        let ended = used().is_err();
        assert_eq!(told.load(Ordering::Relaxed), usize::from(ended));
        if !ended {
            break;
        }
        assert!(disk.list().is_err());
        found.push(left(&disk, |after| format!("{:?}", content(after, "a"))).len());
    }
    // Each of the four calls ends in front of it and behind it: made, written, synced, and for sure.
    assert_eq!(found, [1, 2, 2, 3, 3, 2, 2, 1]);
}

#[test]
fn a_lie_shows_when_the_power_fails() {
    for (lie, expected) in [
        (Lie::Sync, [None, Some(b"".to_vec()), Some(b"one".to_vec())]),
        (Lie::SyncFolder, [None, None, Some(b"one".to_vec())]),
    ] {
        let disk = MemoryDisk::seeded(1);
        disk.tell_lie(Some(lie));
        synced(&disk, "a", b"one");
        let mut expected = expected.map(|octets| format!("{octets:?}")).to_vec();
        expected.sort();
        expected.dedup();
        if lie == Lie::Sync {
            expected.retain(|text| text != "None");
        }
        let found = left(&disk, |after| format!("{:?}", content(after, "a")));
        assert_eq!(found, expected, "{lie:?}");
    }
}

/// The next program finds what the last one wrote, and a power cut may still take it.
#[test]
fn a_copy_remembers_what_was_not_synced() {
    let disk = MemoryDisk::seeded(1);
    written(&disk, "a", b"one");
    let copy = disk.copied();
    assert_eq!(content(&copy, "a").unwrap(), b"one");
    copy.open("a").unwrap().sync_data().unwrap();
    copy.sync_folder().unwrap();
    let found = left(&copy, |after| format!("{:?}", content(after, "a")));
    assert_eq!(found, [format!("{:?}", Some(b"one"))]);
    assert!(left(&disk, |after| format!("{:?}", content(after, "a"))).len() > 1);
}

/// A simulation has thousands of them.
#[test]
fn a_disk_goes_with_the_last_who_has_it_or_a_file_of_it() {
    let disk = MemoryDisk::seeded(1);
    let file = synced(&disk, "a", b"one");
    let copy = disk.copied();
    let disks = [&disk, &copy, &disk.after_power_cut()].map(|disk| Arc::downgrade(&disk.0));
    drop((disk, copy));
    let left = || disks.each_ref().map(Weak::strong_count);
    assert_eq!(left(), [1, 0, 0]);
    drop(file);
    assert_eq!(left(), [0, 0, 0]);
}
