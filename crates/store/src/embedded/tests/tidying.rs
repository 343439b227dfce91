//! Segments, stories and accounts that go.

use super::*;
use crate::limits::{COMPACT_AFTER, DISK_RESERVE, SEGMENT_LEN_MAX, WAL_CHECKPOINT};

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_without_live_bodies_is_unlinked() {
    let rig = Rig::new();
    let large = vec![b'x'; DRAFT_MEMORY_MAX + 1];
    let id = rig.accept(&large).await;
    assert_eq!(rig.segments(), ["000001.seg"]);
    rig.remove(id).await;
    assert_eq!(rig.segments(), Vec::<String>::new());
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mostly_dead_segment_is_rewritten() {
    let rig = Rig::new();
    let kept = rig.accept(b"kept").await;
    let mut dead = Vec::new();
    for _ in 0..5 {
        dead.push(rig.accept(&[b'x'; 1000]).await);
    }
    let rig = rig.end_segment();
    for id in dead {
        rig.remove(id).await;
    }
    let reader = rig.store.open_item(kept).await.unwrap().unwrap();
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || keeper.round(false).unwrap())
        .await
        .unwrap();
    assert!(
        !rig.segments().contains(&"000001.seg".to_owned()),
        "{:?}",
        rig.segments()
    );
    assert_eq!(rig.read(kept).await.unwrap(), b"kept");
    assert_eq!(reader.read_all().await.unwrap(), b"kept");
    let rig = rig.crash(true);
    assert_eq!(rig.read(kept).await.unwrap(), b"kept");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mostly_dead_segment_has_time_to_die_by_itself_unless_room_is_scarce() {
    for free in [None, Some(DISK_RESERVE + 10 * SEGMENT_LEN_MAX)] {
        let rig = Rig::new();
        rig.accept(b"kept").await;
        let dead = rig.accept(&[b'x'; 1000]).await;
        let rig = rig.end_segment();
        rig.remove(dead).await;
        let mut keeper = rig.keeper();
        keeper.compact_after = COMPACT_AFTER;
        if let Some(free) = free {
            rig.disk.set_free(free);
        }
        let (disk, millis) = (rig.disk.clone(), Arc::clone(&rig.millis));
        let stays = tokio::task::spawn_blocking(move || {
            let half = i64::try_from(COMPACT_AFTER.as_millis()).unwrap() / 2;
            [0, half, half].map(|passes| {
                millis.fetch_add(passes, Ordering::Relaxed);
                keeper.round(false).unwrap();
                disk.list().unwrap().contains(&segment_name(1))
            })
        });
        let expected = match free {
            None => [true, true, false],
            Some(_) => [false, false, false],
        };
        assert_eq!(stays.await.unwrap(), expected, "{free:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_once_puts_a_rewriting_off_and_no_more() {
    let rig = Rig::new();
    let kept = rig.accept(b"kept").await;
    let dead = rig.accept(&[b'x'; 1000]).await;
    let rig = rig.end_segment();
    rig.remove(dead).await;
    let keeper = rig.keeper();
    let disk = rig.disk.clone();
    let left = tokio::task::spawn_blocking(move || {
        disk.inject(Fault::Write(28));
        // A part of the first round may report it; what counts is what the second one does.
        let _ = keeper.round(false);
        let left = disk.list().unwrap();
        keeper.round(false).unwrap();
        left
    })
    .await
    .unwrap();
    assert_eq!(left, ["000001.seg"]);
    assert_eq!(rig.segments().len(), 1);
    assert_ne!(rig.segments(), left);
    assert_eq!(rig.read(kept).await.unwrap(), b"kept");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_with_damage_is_not_rewritten() {
    let rig = Rig::new();
    let damaged = rig.accept(b"damaged").await;
    let dead = rig.accept(&[b'x'; 1000]).await;
    let rig = rig.end_segment();
    rig.remove(dead).await;
    let db = database::open_reader(&rig.folder.path().join("postrider.db")).unwrap();
    let (segment, at): (i64, usize) = db
        .query_row(
            "SELECT segment, at FROM body WHERE id = ?",
            [damaged.as_i64()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    rig.disk.flip_bit(&segment_name(segment), at);
    let before = rig.segments();
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || {
        keeper.round(false).unwrap();
        keeper.round(false).unwrap();
    })
    .await
    .unwrap();
    assert_eq!(rig.segments(), before);
    assert_eq!(
        rig.store.check().await.unwrap().problems[0].item,
        Some(damaged)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn old_stories_go_and_the_books_still_balance() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let mut done = Vec::new();
    for _ in 0..3 {
        let id = rig
            .try_accept(b"x", Destination::Account(ann))
            .await
            .unwrap();
        rig.deliver(id, ann).await;
        done.push(id);
    }
    let open = rig.accept(b"still open").await;
    rig.advance(HISTORY_AGE + Duration::from_secs(1));
    let fresh = rig
        .try_accept(b"x", Destination::Account(ann))
        .await
        .unwrap();
    rig.deliver(fresh, ann).await;
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || keeper.round(true).unwrap())
        .await
        .unwrap();
    for id in done {
        assert!(rig.store.story(id).await.unwrap().is_none());
    }
    assert!(rig.store.story(open).await.unwrap().is_some());
    assert!(rig.store.story(fresh).await.unwrap().is_some());
    let totals = rig.store.audit().await.unwrap().totals;
    assert_eq!((totals.accepted, totals.delivered, totals.open), (5, 4, 1));
    assert_eq!(
        rig.store.entries(ann, "INBOX", 0, 10).await.unwrap().len(),
        4
    );
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_age_of_a_story_is_counted_from_its_end() {
    const DAY: Duration = Duration::from_hours(24);
    let rig = Rig::new();
    let ann = address("ann@example.org");
    let id = rig.accept(b"x").await;
    rig.store
        .operate(crate::Action::Hold, id, None, "test")
        .await
        .unwrap();
    rig.advance(HISTORY_AGE + DAY);
    rig.remove(id).await;
    for (days, known) in [(0, true), (29, true), (2, false)] {
        rig.advance(days * DAY);
        let keeper = rig.keeper();
        tokio::task::spawn_blocking(move || keeper.round(true).unwrap())
            .await
            .unwrap();
        let traced = rig.store.trace(&ann, None, 10).await.unwrap();
        assert_eq!(traced.contains(&id), known, "after {days} days more");
    }
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_story_does_not_keep_the_others() {
    let rig = Rig::new();
    let mut done = Vec::new();
    for _ in 0..3 {
        let id = rig.accept(b"x").await;
        rig.remove(id).await;
        done.push(id);
    }
    let db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
    for statement in [
        "UPDATE recipient SET address = 'nonsense', via = 'nonsense' WHERE item = ?",
        "UPDATE item SET reverse_path = 'nonsense' WHERE id = ?",
    ] {
        db.execute(statement, [done[0].as_i64()]).unwrap();
    }
    rig.advance(HISTORY_AGE + Duration::from_secs(1));
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || keeper.round(false).unwrap())
        .await
        .unwrap();
    for id in done {
        assert!(rig.store.story(id).await.unwrap().is_none());
    }
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_housekeeping_that_fails_stops_no_other() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let id = rig
        .try_accept(b"x", Destination::Account(ann))
        .await
        .unwrap();
    rig.deliver(id, ann).await;
    let old = rig.accept(b"x").await;
    rig.remove(old).await;
    rig.store
        .remove_account(&address("ann@example.org"))
        .await
        .unwrap();
    let db = database::open(&rig.folder.path().join("postrider.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER broken BEFORE DELETE ON history BEGIN SELECT raise(ABORT, 'broken'); END",
    )
    .unwrap();
    rig.advance(HISTORY_AGE + Duration::from_secs(1));
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || keeper.round(false).unwrap_err())
        .await
        .unwrap();
    assert!(rig.store.story(old).await.unwrap().is_some());
    assert_eq!(rig.store.check().await.unwrap().bodies, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_of_a_removed_account_is_cleared_away() {
    let rig = Rig::new();
    let ann = rig.account().await;
    for _ in 0..3 {
        let id = rig
            .try_accept(b"x", Destination::Account(ann))
            .await
            .unwrap();
        rig.deliver(id, ann).await;
    }
    assert_eq!(rig.store.check().await.unwrap().bodies, 3);
    rig.store
        .remove_account(&address("ann@example.org"))
        .await
        .unwrap();
    let keeper = rig.keeper();
    tokio::task::spawn_blocking(move || keeper.round(false).unwrap())
        .await
        .unwrap();
    assert_eq!(rig.store.check().await.unwrap().bodies, 0);
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_died_between_two_groups_takes_nothing_more() {
    use crate::body_log::{Place, create_segment};
    use crate::embedded::orders::{Move, Relocate};

    let rig = Rig::new();
    let first = rig.accept(b"first").await;
    let second = rig.accept(b"second").await;
    let rig = rig.end_segment();
    let keeper = rig.keeper();
    let copy = create_segment(&*keeper.disk, &keeper.numbers).unwrap();
    let db = database::open_reader(&rig.folder.path().join("postrider.db")).unwrap();
    let moves: Vec<Move> = [first, second]
        .into_iter()
        .map(|id| {
            let from = db
                .query_row(
                    "SELECT segment, at, length, crc FROM body WHERE id = ?",
                    [id.as_i64()],
                    |row| crate::embedded::rows::place(row, 0),
                )
                .unwrap();
            Move {
                body: id.as_i64(),
                from,
                to: Place {
                    segment: copy.id,
                    ..from
                },
            }
        })
        .collect();
    let order = |n: usize| Relocate {
        moves: vec![moves[n]],
        segment: (copy.id, copy.end),
        first: n == 0,
    };
    assert_eq!(rig.store.inner.writer.carry_out(order(0)).await, Ok(true));
    // All that was moved dies, and the copy with it; then comes the second group.
    rig.remove(first).await;
    assert!(!rig.segments().contains(&segment_name(copy.id)));
    assert_eq!(rig.store.inner.writer.carry_out(order(1)).await, Ok(false));
    assert_eq!(rig.read(second).await.unwrap(), b"second");
    rig.crash(true).assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wal_that_is_too_long_for_its_disk_is_cut_behind_a_commit() {
    struct Fill;
    impl Order for Fill {
        type Answer = ();
        type Error = StoreError;
        fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
            turn.db
                .execute_batch("CREATE TABLE IF NOT EXISTS filler (octets BLOB)")?;
            turn.db
                .execute("INSERT INTO filler VALUES (zeroblob(?))", [WAL_CHECKPOINT])?;
            Ok(())
        }
    }
    let rig = Rig::new();
    let wal = rig.folder.path().join("postrider.db-wal");
    let len = || std::fs::metadata(&wal).unwrap().len();
    let fill = async || rig.store.inner.writer.carry_out(Fill).await.unwrap();
    fill().await;
    rig.accept(b"there is room").await;
    assert!(len() > WAL_CHECKPOINT);
    rig.disk.set_free(4 * WAL_CHECKPOINT);
    fill().await;
    // The answer comes before the cut; another order comes behind it. While the thread is at it, it is
    // tried again some commits later.
    for _ in 0..100 {
        let gone = rig.store.remove_alias(&address("no@example.org")).await;
        assert!(gone.is_err());
        if len() < WAL_CHECKPOINT {
            return;
        }
    }
    panic!("{} octets are left", len());
}
