//! Disks that fail while mail comes in.

use super::*;
use crate::disk::double::Odds;
use crate::embedded::DATABASE;
use crate::embedded::order::Order;
use crate::embedded::orders::{Operate, RemoveAccount};
use crate::embedded::turn::Turn;
use crate::limits::{DISK_RESERVE, END_LEN};
use crate::{Listing, QueueLine, Selection};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_is_told_and_costs_nothing() {
    for (fault, expect) in [
        (Fault::Write(ENOSPC), StoreError::Full),
        (
            Fault::Write(EIO),
            StoreError::Disk(std::io::Error::from_raw_os_error(EIO).to_string()),
        ),
    ] {
        let rig = Rig::new();
        let before = rig.accept(b"before").await;
        rig.disk.inject(fault);
        let refused = rig.try_accept(b"refused", Destination::Remote).await;
        assert_eq!(refused, Err(AcceptError::Store(expect)), "{fault:?}");
        let after = rig.accept(b"after").await;
        let rig = rig.crash(true);
        assert_eq!(rig.read(before).await.unwrap(), b"before");
        assert_eq!(rig.read(after).await.unwrap(), b"after");
        assert_eq!(
            rig.store
                .queue(&Selection::default(), None, 10)
                .await
                .unwrap()
                .len(),
            2
        );
        rig.assert_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_the_tail_moves_and_service_resumes() {
    let rig = Rig::new();
    let first = rig.accept(b"first").await;
    let second = rig.accept(&[b'2'; 10_000]).await;
    let third = rig.accept(b"third").await;
    assert_eq!(rig.segments(), ["000001.seg"]);
    rig.disk.inject(Fault::Sync(EIO));
    assert!(matches!(
        rig.try_accept(b"refused", Destination::Remote).await,
        Err(AcceptError::Store(StoreError::Disk(_)))
    ));
    let fourth = rig.accept_in_the_end(b"fourth").await;
    // What the old segment held was its tail: all of it has moved.
    assert_eq!(rig.segments(), ["000002.seg"]);
    let rig = rig.crash(true);
    for (id, body) in [
        (first, &b"first"[..]),
        (second, &[b'2'; 10_000]),
        (third, b"third"),
        (fourth, b"fourth"),
    ] {
        assert_eq!(rig.read(id).await.unwrap(), body);
    }
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_new_mail_until_the_tail_has_been_copied() {
    let rig = Rig::new();
    rig.accept(b"first").await;
    // The sync fails, then making the new segment fails: nothing can be taken in.
    for fault in [Fault::Sync(EIO), Fault::Create(ENOSPC)] {
        rig.disk.inject(fault);
    }
    assert!(
        rig.try_accept(b"refused", Destination::Remote)
            .await
            .is_err()
    );
    assert!(matches!(rig.store.room(1), Err(AcceptError::Store(_))));
    rig.accept_in_the_end(b"second").await;
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_refuses_and_recovers() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let kept = rig
        .try_accept(b"kept", Destination::Account(ann))
        .await
        .unwrap();
    limit_pages(&rig, true).await;
    let body = vec![b'x'; 1000];
    let mut refused = 0;
    for _ in 0..400 {
        match rig.try_accept(&body, Destination::Account(ann)).await {
            Ok(_) => {}
            Err(AcceptError::Store(StoreError::Full)) => refused += 1,
            Err(e) => panic!("{e:?}"),
        }
    }
    assert!(refused > 0, "the limit was never reached");
    limit_pages(&rig, false).await;
    rig.accept(b"after").await;
    assert_eq!(
        rig.deliver(kept, ann).await,
        LocalOutcome::Delivered { uid: 1 }
    );
    rig.crash(true).assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_and_has_no_room_in_the_database_is_kept() {
    let rig = Rig::working(Work::Callers);
    rig.accept(b"first").await;
    limit_pages(&rig, true).await;
    let mut promised = Vec::new();
    let refused = loop {
        match rig.try_accept(b"x", Destination::Remote).await {
            Ok(id) => promised.push(id),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, AcceptError::Store(StoreError::Full));
    assert!(promised.len() > 100, "they waited in memory for their rows");
    let rig = rig.crash(true);
    for id in promised {
        assert_eq!(rig.read(id).await.unwrap(), b"x");
    }
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_reserve_only_new_mail_waits() {
    let rig = Rig::new();
    let ann = rig.account().await;
    let id = rig
        .try_accept(b"x", Destination::Account(ann))
        .await
        .unwrap();
    rig.disk.set_free(DISK_RESERVE);
    rig.advance(Duration::from_secs(2));
    let refused = rig.try_accept(b"y", Destination::Remote).await;
    assert_eq!(refused, Err(AcceptError::NoRoom));
    assert_eq!(
        rig.deliver(id, ann).await,
        LocalOutcome::Delivered { uid: 1 }
    );
    rig.disk.set_free(DISK_RESERVE + 1000);
    rig.advance(Duration::from_secs(2));
    assert_eq!(rig.store.room(1000), Err(AcceptError::NoRoom));
    assert_eq!(rig.store.room(999), Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_keeps_room_for_its_end() {
    let rig = Rig::new();
    let ann = rig.account().await;
    rig.disk.set_free(DISK_RESERVE + 2 * END_LEN);
    let mut waiting = Vec::new();
    while rig.store.room(1) == Ok(()) {
        waiting.push(rig.accept(b"x").await);
    }
    assert_eq!(waiting.len(), 2);
    let rig = rig.crash(true);
    rig.disk.set_free(DISK_RESERVE + 2 * END_LEN);
    assert_eq!(rig.store.room(1), Err(AcceptError::NoRoom));
    rig.deliver(waiting[0], ann).await;
    assert_eq!(rig.store.room(1), Ok(()));
    // Also when the database was lost meanwhile.
    lose_database(&rig).await;
    rig.accept_in_the_end(b"y").await;
    assert_eq!(rig.store.room(1), Err(AcceptError::NoRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_on_disk_needs_no_second_room() {
    let rig = Rig::new();
    let large = vec![b'x'; 10 * DRAFT_MEMORY_MAX];
    // What is left when the draft lies there: more than the reserve, less than its size again.
    rig.disk.set_free(DISK_RESERVE + (1 << 20));
    let id = rig.accept(&large).await;
    assert_eq!(rig.read(id).await.unwrap(), large);
    rig.disk.set_free(DISK_RESERVE);
    rig.advance(Duration::from_secs(2));
    let refused = rig.try_accept(&large, Destination::Remote).await;
    assert_eq!(refused, Err(AcceptError::NoRoom));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_draft_that_cannot_be_kept_leaves_nothing() {
    let rig = Rig::new();
    let large = vec![b'x'; DRAFT_MEMORY_MAX + 1];
    for fault in [
        Fault::Create(ENOSPC),
        Fault::Write(ENOSPC),
        Fault::Sync(EIO),
    ] {
        rig.disk.inject(fault);
        assert!(
            rig.try_accept(&large, Destination::Remote).await.is_err(),
            "{fault:?}"
        );
    }
    assert_eq!(rig.segments(), Vec::<String>::new());
    rig.accept(&large).await;
    rig.crash(true).assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_syncs_nothing_is_not_filled_with_tries() {
    let rig = Rig::new();
    let first = rig.accept(b"first").await;
    let header = SEGMENT_HEADER_LEN;
    rig.disk.set_sync_max(Some(header));
    for _ in 0..20 {
        let refused = rig.try_accept(b"refused", Destination::Remote).await;
        assert!(refused.is_err());
        assert!(rig.segments().len() <= 2, "{:?}", rig.segments());
    }
    rig.disk.set_sync_max(None);
    let last = rig.accept_in_the_end(b"last").await;
    assert_eq!(rig.segments().len(), 1, "{:?}", rig.segments());
    let rig = rig.crash(true);
    assert_eq!(rig.read(first).await.unwrap(), b"first");
    assert_eq!(rig.read(last).await.unwrap(), b"last");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_segment_that_does_not_sync_leaves_nothing() {
    let rig = Rig::new();
    let header = SEGMENT_HEADER_LEN;
    rig.disk.set_sync_max(Some(header));
    assert!(
        rig.try_accept(b"refused", Destination::Remote)
            .await
            .is_err()
    );
    rig.disk.set_sync_max(None);
    rig.accept_in_the_end(b"body").await;
    assert_eq!(rig.segments().len(), 1, "{:?}", rig.segments());
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_lost_questions_are_answered_from_the_last_commit() {
    let rig = Rig::working(Work::Callers);
    let last = rig.store.last_commit();
    let committed = rig.accept(b"committed").await;
    rig.store.settle().await.unwrap();
    let promised = rig.accept(b"promised").await;
    let (path, aside) = (
        rig.folder.path().join(DATABASE),
        rig.folder.path().join("aside"),
    );
    std::fs::rename(&path, &aside).unwrap();
    std::fs::create_dir(&path).unwrap();
    lose_database(&rig).await;

    let all = Selection::default();
    let ids = |lines: Vec<QueueLine>| lines.iter().map(|line| line.id).collect::<Vec<_>>();
    let ann = address("ann@example.org");
    assert!(matches!(rig.store.settle().await, Err(StoreError::Disk(_))));
    assert_eq!(ids(last.queue(&all, None, 9).await.unwrap()), [committed]);
    assert_eq!(last.trace(&ann, None, 9).await, Ok(vec![committed]));
    assert_eq!(last.open_recipients().await, Ok(1));
    assert!(last.story(committed).await.unwrap().is_some());
    assert!(last.story(promised).await.unwrap().is_none());
    // Whoever acts on the answer gets none that is too old; and the books are not told in part.
    assert!(rig.store.queue(&all, None, 9).await.is_err());
    assert!(rig.store.story(promised).await.is_err());
    assert!(rig.store.trace(&ann, None, 9).await.is_err());
    assert!(rig.store.open_recipients().await.is_err());
    assert!(last.audit().await.is_err());

    std::fs::remove_dir(&path).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    rig.store.settle().await.unwrap();
    let both = ids(last.queue(&all, None, 9).await.unwrap());
    assert_eq!(both, [committed, promised]);
    rig.assert_clean().await;
}

/// A turn panics: the writer opens the database anew, when it can.
async fn lose_database(rig: &Rig) {
    struct Panic;
    impl Order for Panic {
        type Answer = ();
        type Error = StoreError;
        fn apply(&mut self, _: &mut Turn<'_>) -> Result<(), StoreError> {
            panic!("as the test wants")
        }
    }
    let lost = rig.store.inner.writer.carry_out(Panic).await;
    assert!(matches!(lost, Err(StoreError::Unknown(_))), "{lost:?}");
}

/// Lets the database grow by few pages only, through the writer itself.
async fn limit_pages(rig: &Rig, limit: bool) {
    struct Limit(bool);
    impl Order for Limit {
        type Answer = ();
        type Error = StoreError;
        fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
            let pages: i64 = turn
                .db
                .query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let max = if self.0 { pages + 8 } else { 1 << 30 };
            turn.db
                .query_row(&format!("PRAGMA max_page_count = {max}"), [], |_| Ok(()))?;
            Ok(())
        }
    }
    rig.store
        .inner
        .writer
        .carry_out(Limit(limit))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_panics_costs_its_orders_and_no_more() {
    let rig = Rig::new();
    let before = rig.accept(b"before").await;
    lose_database(&rig).await;
    let after = rig.accept_in_the_end(b"after").await;
    let rig = rig.crash(true);
    assert_eq!(rig.read(before).await.unwrap(), b"before");
    assert_eq!(rig.read(after).await.unwrap(), b"after");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_whose_transaction_fails_leaves_no_segment() {
    let rig = Rig::new();
    let large = vec![b'x'; DRAFT_MEMORY_MAX + 1];
    rig.accept(&large).await;
    limit_pages(&rig, true).await;
    let mut refused = 0;
    for _ in 0..200 {
        refused += u32::from(rig.try_accept(&large, Destination::Remote).await.is_err());
    }
    assert!(refused > 0, "the limit was never reached");
    rig.assert_files_are_rows();
    limit_pages(&rig, false).await;
    rig.accept(&large).await;
    rig.crash(true).assert_clean().await;
}

/// Does what `0` does and commits it, and then says that it failed: a commit of unknown outcome that
/// has happened.
struct Doubtful<O>(O);

impl<O: Order> Order for Doubtful<O> {
    type Answer = ();
    type Error = StoreError;
    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        assert!(self.0.apply(turn).is_ok());
        turn.db.execute_batch("COMMIT")?;
        Err(StoreError::Disk("as the test wants".to_owned()))
    }
}

async fn doubtful(rig: &Rig, order: impl Order) {
    let told = rig.store.inner.writer.carry_out(Doubtful(order)).await;
    assert!(matches!(told, Err(StoreError::Disk(_))), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_doubtful_commit_did_to_the_directory_is_seen() {
    let rig = Rig::new();
    let address = address("ann@example.org");
    let ann = rig.account().await;
    let known = rig.store.lookup(&address).await;
    assert_eq!(known, Ok(Some(Listing::Account(ann))));
    let remove = RemoveAccount {
        address: address.clone(),
    };
    doubtful(&rig, remove).await;
    assert_eq!(rig.store.lookup(&address).await, Ok(None));
    // Nothing is broken: mail comes in at once.
    assert_eq!(rig.store.room(1), Ok(()));
    rig.accept(b"after").await;
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_doubtful_commit_has_removed_is_opened_no_more() {
    let rig = Rig::new();
    let id = rig.accept(b"gone").await;
    // An operator's question: what was promised is committed.
    assert!(rig.store.story(id).await.unwrap().is_some());
    let remove = Operate {
        action: crate::Action::Remove,
        item: id,
        host: None,
        by: "x".to_owned(),
    };
    doubtful(&rig, remove).await;
    assert!(rig.store.open_item(id).await.unwrap().is_none());
}

/// The process dies between a write and its sync, and the next start meets a sync that fails: the one
/// behind it finds in memory what the disk has given up.
#[tokio::test]
async fn a_start_does_not_believe_in_the_sync_that_follows_a_failed_one() {
    let rig = Rig::working(Work::Callers);
    rig.accept(b"first").await;
    // In front of the write, and behind it.
    rig.disk.end_in(1, || ());
    let unsynced = rig.try_accept(b"unsynced", Destination::Remote).await;
    assert!(unsynced.is_err());
    for _ in 0..20 {
        let (folder, disk) = rig.copied();
        disk.set_odds(Odds {
            sync: 1,
            ..Odds::default()
        });
        let failed = open(folder.path(), &disk, &rig.millis).err();
        assert!(matches!(failed, Some(OpenError::Log(_))), "{failed:?}");
        disk.set_odds(Odds::default());
        let store = open(folder.path(), &disk, &rig.millis).unwrap();
        assert!(store.repeated() > 0);
        store.close();
        drop(store);
        let disk = disk.after_power_cut();
        let store = open(folder.path(), &disk, &rig.millis).unwrap();
        assert_eq!(store.check().await.unwrap().problems, vec![]);
        store.close();
    }
}
