//! Files of dead segments that are written once more.

use super::*;
use crate::body_log::Known;
use crate::limits::{DISK_RESERVE, SPARES_MAX, SPARES_ROOM_MIN};

const BODY: usize = 1000;

/// Accepts until the next segment is open, with nothing alive in it; answers what fills this one.
async fn fill(rig: &Rig) -> Vec<ItemId> {
    let newest = || {
        rig.segments()
            .into_iter()
            .filter(|name| name.ends_with(".seg"))
            .max()
    };
    let mut ids = vec![rig.accept(&[b'a'; BODY]).await];
    let this = newest();
    loop {
        let id = rig.accept(&[b'a'; BODY]).await;
        if newest() != this {
            rig.remove(id).await;
            return ids;
        }
        ids.push(id);
    }
}

async fn die(rig: &Rig, ids: Vec<ItemId>) {
    for id in ids {
        rig.remove(id).await;
    }
}

fn is_there(rig: &Rig, name: &str) -> bool {
    rig.segments().iter().any(|file| file == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_file_is_written_once_more_and_nothing_of_its_first_life_comes_back() {
    let rig = Rig::with_short_segments();
    let ids = fill(&rig).await;
    die(&rig, ids).await;
    assert!(is_there(&rig, "spare-000001"), "{:?}", rig.segments());
    let kept = fill(&rig).await;
    assert_eq!(rig.segments(), ["000002.seg", "000003.seg"]);
    let file = rig.disk.open(&segment_name(3)).unwrap();
    let len = file.length().unwrap();
    assert!((SHORT..2 * SHORT).contains(&len), "{len}");
    let mut promised = Vec::new();
    for n in 0..4 {
        promised.push(rig.accept(&[b'0' + n; BODY]).await);
    }
    for power in [false, true] {
        let (folder, disk) = rig.copied();
        if power {
            disk.cut_power();
        }
        let options = Options {
            segment_len: SHORT,
            ..options(&disk, &rig.millis)
        };
        let store = Embedded::open(folder.path(), options).unwrap();
        let waiting = store.queue(&crate::Selection::default(), None, 100).await;
        let mut found: Vec<ItemId> = waiting.unwrap().iter().map(|line| line.id).collect();
        found.sort();
        assert_eq!(found, [&kept[..], &promised[..]].concat());
        store.close();
    }
    let rig = rig.crash(true);
    for (n, id) in (0..).zip(promised) {
        assert_eq!(rig.read(id).await.unwrap(), [b'0' + n; BODY]);
    }
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_reads_is_not_written_again() {
    let rig = Rig::with_short_segments();
    let ids = fill(&rig).await;
    // It is committed by then.
    rig.store.story(ids[0]).await.unwrap().unwrap();
    let db = database::open_reader(&rig.folder.path().join("postrider.db")).unwrap();
    let read = "SELECT segment, at, length, crc FROM body WHERE id = ?";
    let place = db.query_row(read, [ids[0].as_i64()], |row| {
        crate::embedded::rows::place(row, 0)
    });
    let known = Known(place.unwrap());
    let open = rig
        .store
        .inner
        .bodies
        .open(&known, ids[0].as_i64())
        .unwrap()
        .unwrap();
    die(&rig, ids).await;
    assert_eq!(rig.segments(), ["000002.seg"]);
    fill(&rig).await;
    let mut octets = [0; BODY];
    open.file.read_exact_at(&mut octets, open.place.at).unwrap();
    assert_eq!(octets, [b'a'; BODY]);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_few_and_none_where_room_is_scarce() {
    let rig = Rig::with_short_segments();
    let mut all = Vec::new();
    for _ in 0..SPARES_MAX + 2 {
        all.push(fill(&rig).await);
    }
    for ids in all {
        die(&rig, ids).await;
    }
    let spares = |rig: &Rig| {
        rig.segments()
            .iter()
            .filter(|name| name.starts_with("spare-"))
            .count()
    };
    assert_eq!(spares(&rig), SPARES_MAX);
    let keep_house = |rig: &Rig| {
        let keeper = rig.keeper();
        tokio::task::spawn_blocking(move || keeper.round(false).unwrap())
    };
    keep_house(&rig).await.unwrap();
    assert_eq!(spares(&rig), SPARES_MAX);
    rig.disk.set_free(DISK_RESERVE + SPARES_ROOM_MIN - 1);
    keep_house(&rig).await.unwrap();
    assert_eq!(spares(&rig), 0);
    let ids = fill(&rig).await;
    die(&rig, ids).await;
    assert_eq!(spares(&rig), 0);
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_sync_has_failed_is_not_written_again() {
    let rig = Rig::with_short_segments();
    let mut ids = Vec::new();
    for _ in 0..12 {
        ids.push(rig.accept(&[b'x'; BODY]).await);
    }
    assert_eq!(rig.segments().len(), 2);
    die(&rig, ids).await;
    assert!(is_there(&rig, "spare-000001"));
    // What would make it too short to be kept fails as well.
    rig.disk.inject(Fault::Cut(5));
    rig.disk.inject(Fault::Sync(5));
    assert!(rig.try_accept(b"lost", Destination::Remote).await.is_err());
    let id = rig.accept_in_the_end(&[b'y'; BODY]).await;
    assert!(!is_there(&rig, "spare-000002"), "{:?}", rig.segments());
    assert_eq!(rig.read(id).await.unwrap(), [b'y'; BODY]);
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_and_a_start_keep_none() {
    for stop in [true, false] {
        let rig = Rig::with_short_segments();
        let ids = fill(&rig).await;
        die(&rig, ids).await;
        let kept = rig.accept(&[b'y'; BODY]).await;
        assert_eq!(rig.segments(), ["000002.seg", "spare-000001"]);
        let rig = if stop {
            rig.store.close();
            assert_eq!(rig.segments(), ["000002.seg"]);
            let len = rig.disk.open("000002.seg").unwrap().length().unwrap();
            assert!(len < SHORT, "{len}");
            rig
        } else {
            rig
        };
        let rig = rig.crash(false);
        assert_eq!(rig.segments(), ["000002.seg"]);
        assert_eq!(rig.read(kept).await.unwrap(), [b'y'; BODY]);
        rig.assert_clean().await;
    }
}

/// A folder, and a name that is no text: the start goes on without them.
#[test]
fn what_is_not_ours_and_cannot_be_removed_stops_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(|| Timestamp::EPOCH);
    let open = || Embedded::open(folder.path(), Options::new(clock.clone()));
    open().unwrap().close();
    let bodies = folder.path().join("bodies");
    std::fs::create_dir(bodies.join("spare-a")).unwrap();
    std::fs::create_dir(bodies.join("draft-a")).unwrap();
    std::fs::write(bodies.join(OsStr::from_bytes(b"spare-\xFF")), "").unwrap();
    std::fs::write(bodies.join("spare-b"), "").unwrap();
    open().unwrap().close();
    let left = std::fs::read_dir(&bodies).unwrap().count();
    assert_eq!(left, 3, "the file that was ours is gone");
}
