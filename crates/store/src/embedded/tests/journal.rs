//! What is promised and not committed: it outlives crashes, failed commits and failed neighbours.

use super::*;
use crate::embedded::order::{Lasting, Order};
use crate::embedded::turn::Turn;
use crate::limits::TURN_OCTETS_MAX;
use crate::{Attempt, Begun, Outcome, RecipientState};

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life_that_no_commit_has_seen_is_repeated() {
    for power in [false, true] {
        let rig = Rig::new();
        let ann = rig.account().await;
        let to_ann = Destination::Account(ann);
        let lease = rig
            .store
            .lease("node", Duration::from_hours(1))
            .await
            .unwrap();
        let here = rig.try_accept(b"here", to_ann).await.unwrap();
        let gone = rig.accept(b"gone").await;
        let open = rig.accept(b"open").await;
        let begun = rig
            .store
            .begin(&lease, vec![(gone, 0), (open, 0)], false)
            .await;
        assert_eq!(begun, Ok(vec![Begun::Go, Begun::Go]));
        let attempt = Attempt {
            item: gone,
            recipient: 0,
            since: rig.now(),
            at: rig.now(),
            outcome: Outcome::Delivered(mailtypes::Status::new(
                mailtypes::EnhancedCode::new(2, 0, 0),
                "taken",
            )),
            detail: String::new(),
            trail: None,
        };
        rig.store.record(&lease, vec![attempt]).await.unwrap();
        let delivery = LocalDelivery {
            item: here,
            recipient: 0,
            account: ann,
            folder: "INBOX".to_owned(),
            added: "Delivered-To: ann\r\n".to_owned(),
        };
        let delivered = rig.store.deliver_local(&lease, vec![delivery]).await;
        assert_eq!(delivered, Ok(vec![LocalOutcome::Delivered { uid: 1 }]));
        assert!(
            rig.store.inner.ahead.load(Ordering::Acquire),
            "nothing was committed yet"
        );

        let rig = rig.crash(power);
        for (id, expected) in [
            (here, RecipientState::Delivered),
            (gone, RecipientState::Delivered),
            (open, RecipientState::Queued),
        ] {
            assert_eq!(rig.state(id).await, expected, "{id}");
        }
        let mail = rig
            .store
            .open_message(ann, "INBOX", 1)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(mail.read_all().await.unwrap(), b"Delivered-To: ann\r\nhere");
        assert_eq!(rig.read(open).await.unwrap(), b"open");
        // The mark of the attempt has come along.
        let lease = rig
            .store
            .lease("node", Duration::from_hours(1))
            .await
            .unwrap();
        let due = rig
            .store
            .due(&lease, Lane::Fresh, None, 10)
            .await
            .unwrap()
            .due;
        assert!(matches!(&due[..], [due] if due.item == open && due.suspect));
        rig.assert_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_takes_nothing_back() {
    let rig = Rig::new();
    let first = rig.accept(b"first").await;
    let break_it = Act(|turn: &mut Turn<'_>| {
        turn.db.pragma_update(None, "query_only", true)?;
        Ok(())
    });
    rig.store.inner.writer.carry_out(break_it).await.unwrap();
    // Whoever asks wants a commit; it fails, and the database is opened anew.
    let _ = rig.store.story(first).await;
    assert_eq!(rig.state(first).await, RecipientState::Queued);
    rig.accept(b"second").await;
    assert_eq!(rig.read(first).await.unwrap(), b"first");
    rig.assert_clean().await;
    rig.crash(true).assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_fails_half_way_leaves_nothing_and_harms_no_other() {
    let rig = Rig::new();
    let before = rig.accept(b"before").await;
    let fails = Act(move |turn: &mut Turn<'_>| {
        turn.note(before, None, crate::EventKind::Held, None, "by nobody")?;
        Err(StoreError::Full)
    });
    let (failed, after) = tokio::join!(
        rig.store.inner.writer.carry_out(fails),
        rig.accept(b"after")
    );
    assert_eq!(failed, Err(StoreError::Full));
    let rig = rig.crash(true);
    let story = rig.store.story(before).await.unwrap().unwrap();
    assert!(story.events.is_empty(), "{:?}", story.events);
    assert_eq!(rig.read(after).await.unwrap(), b"after");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_store_commits_by_itself() {
    let rig = Rig::new();
    rig.accept(b"x").await;
    for _ in 0..100 {
        if !rig.store.inner.ahead.load(Ordering::Acquire) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it waits for ever");
}

/// Breaks the writer's connection for everything that changes something.
struct Break;

impl Order for Break {
    type Answer = ();
    type Error = StoreError;

    fn lasting(&self) -> Lasting {
        Lasting::Nothing
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        Ok(turn.db.pragma_update(None, "query_only", true)?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_promised_in_a_segment_that_no_commit_has_named() {
    let rig = Rig::new();
    // The first segment is made, and cannot be named.
    rig.store.inner.writer.carry_out(Break).await.unwrap();
    let refused = rig.try_accept(b"refused", Destination::Remote).await;
    assert!(refused.is_err());
    assert!(matches!(rig.store.room(1), Err(AcceptError::Store(_))));
    let kept = rig.accept_in_the_end(b"kept").await;
    assert!(
        rig.store.inner.ahead.load(Ordering::Acquire),
        "nothing was committed yet"
    );
    let rig = rig.crash(true);
    assert_eq!(rig.read(kept).await.unwrap(), b"kept");
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_takes_over_nothing_whose_sync_has_failed() {
    let rig = Rig::new();
    let first = rig.accept(b"first").await;
    rig.disk.inject(Fault::Sync(5));
    let refused = rig.try_accept(b"refused", Destination::Remote).await;
    assert!(refused.is_err());
    // The process dies before the tail has been copied; the page cache still has all.
    let rig = rig.crash(false);
    let queue = rig
        .store
        .queue(&crate::Selection::default(), None, 10)
        .await
        .unwrap();
    let queue: Vec<ItemId> = queue.iter().map(|line| line.id).collect();
    assert_eq!(queue, [first]);
    rig.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_broke_off_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("postrider.db")).unwrap();
    db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        .unwrap();
    drop(db);
    let millis = Arc::new(AtomicI64::new(0));
    let store = open(folder.path(), &MemoryDisk::default(), &millis).unwrap();
    assert_eq!(store.audit().await.unwrap().problems, vec![]);
}

/// Waits in a turn of its own until the test has queued more up.
struct Block(std::sync::mpsc::Receiver<()>);

impl Order for Block {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, _: &mut Turn<'_>) -> Result<(), StoreError> {
        let _ = self.0.recv();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_trails_are_not_written_in_one_turn() {
    let rig = Rig::new();
    let lease = rig
        .store
        .lease("node", Duration::from_hours(1))
        .await
        .unwrap();
    let item = rig.accept(b"x").await;
    let before = rig.entries().len();
    let later = Timestamp::from_millis(i64::MAX / 4);
    let attempt = Attempt {
        item,
        recipient: 0,
        since: rig.now(),
        at: rig.now(),
        outcome: Outcome::Deferred(status(4), later),
        detail: String::new(),
        trail: Some("x".repeat(TURN_OCTETS_MAX * 3 / 5)),
    };
    let (go, wait) = std::sync::mpsc::channel();
    let blocked = rig.store.inner.writer.carry_out(Block(wait));
    let records = (0..4).map(|_| rig.store.record(&lease, vec![attempt.clone()]));
    let records = futures_util::future::join_all(records);
    let (blocked, records, ()) = tokio::join!(blocked, records, async { go.send(()).unwrap() });
    blocked.unwrap();
    assert_eq!(records, [Ok(()), Ok(()), Ok(()), Ok(())]);
    assert_eq!(rig.entries().len(), before + 4);
    rig.assert_clean().await;
}

/// Whoever opens what has just come waits for no commit, and makes none.
#[tokio::test]
async fn what_no_commit_has_yet_is_opened_as_it_is() {
    let rig = Rig::working(Work::Callers);
    let ann = rig.account().await;
    let body = [b'x'; 200_000];
    for to in [Destination::Remote, Destination::Account(ann)] {
        let id = rig.try_accept(&body, to).await.unwrap();
        for at_once in [false, true, false] {
            let opened = rig.store.open_items(vec![(id, at_once)]).await;
            for opened in opened {
                assert_eq!(opened.unwrap().unwrap().read_all().await.unwrap(), body);
            }
        }
        let last = rig.store.open_final(id).await.unwrap().unwrap();
        assert_eq!(last.read_all().await.unwrap(), body);
        assert!(rig.store.is_ahead(), "a commit was made for {to:?}");
    }
    // A reader that takes its time outlasts the commit.
    let id = rig.accept(&body).await;
    let slow = rig.store.open_final(id).await.unwrap().unwrap();
    assert_eq!(rig.state(id).await, RecipientState::Queued);
    assert!(!rig.store.is_ahead());
    assert_eq!(slow.read_all().await.unwrap(), body);
    let nothing = ItemId::from_i64(1).unwrap();
    rig.accept(&body).await;
    assert!(rig.store.open_final(nothing).await.unwrap().is_none());
    assert!(rig.store.open_item(nothing).await.unwrap().is_none());
}
