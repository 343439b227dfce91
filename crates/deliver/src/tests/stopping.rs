//! Ordinary stops in the middle of attempts.

use std::time::Duration;

use store::{EventKind, ItemView, RecipientState};

use super::REMOTE;
use crate::limits::LAST_TRANSACTION;
use crate::testing::{Script, World};

/// Three starts, each stopped while the host lets us wait.
async fn three_restarts(script: Script, patience: Duration) -> ItemView {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 60 192.0.2.1");
    world.hosts.set("192.0.2.1:25", script);
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    for n in 1..=3 {
        let task = world.start();
        world.dialed(n).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.stop.send_replace(true);
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.clock.advance(patience);
        world.end(task).await;
        world.stop.send_replace(false);
    }
    world.story(item).await
}

#[track_caller]
fn check(story: &ItemView, told: &str) {
    let recipient = &story.recipients[0];
    assert_eq!(recipient.state, RecipientState::Queued);
    assert_eq!(recipient.attempts, 3);
    assert!(story.events.iter().all(|e| e.kind == EventKind::Deferred));
    assert_eq!(recipient.status.clone().unwrap().to_string(), told);
}

#[tokio::test]
async fn whoever_waits_for_a_greeting_is_put_off_at_once() {
    // Nothing was begun, so it is no attempt.
    let story = three_restarts(&["STALL"], Duration::ZERO).await;
    let recipient = &story.recipients[0];
    assert_eq!(recipient.state, RecipientState::Queued);
    assert_eq!((recipient.attempts, recipient.in_hand), (0, false));
    assert!(story.events.is_empty(), "{:?}", story.events);
}

#[tokio::test]
async fn a_transaction_is_put_off_after_a_while() {
    let script = &["S 220 hi", "C", "S 250 hi", "C", "STALL"];
    let story = three_restarts(script, LAST_TRANSACTION).await;
    check(&story, "4.3.2 this server was stopped at MAIL");
}

#[tokio::test]
async fn only_behind_the_final_dot_it_may_have_arrived() {
    let script = &[
        "S 220 hi", "C", "S 250 hi", "C", "S 250 ok", "C", "S 250 ok", "C", "S 354 go", "BODY",
        "STALL",
    ];
    let story = three_restarts(script, LAST_TRANSACTION).await;
    check(
        &story,
        "4.3.2 this server was stopped at the end of the message: the message may arrive twice",
    );
}

#[tokio::test]
async fn what_was_begun_and_never_tried_is_not_called_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.hosts.set("192.0.2.1:25", &["STALL"]);
    let mut items = Vec::new();
    for n in 0..6 {
        world.dns.set(&format!("A d{n}.example 86400 192.0.2.1"));
        let to = format!("x@d{n}.example");
        items.extend(world.accept_many(1, &[&to]).await);
    }
    let task = world.start();
    world.dialed(4).await;
    // They wait for a greeting, and the other two in line.
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE)).unwrap();
    let begun = "SELECT count(*) FROM recipient WHERE hands IS NOT NULL";
    let begun = || -> i64 { db.query_row(begun, [], |row| row.get(0)).unwrap() };
    // A story is read behind a commit of all that is promised.
    world.story(items[0]).await;
    assert_eq!(begun(), 0);
    world.end(task).await;
    assert_eq!(begun(), 0);
    for item in items {
        let recipient = world.story(item).await.recipients.remove(0);
        assert!(recipient.due.is_some());
    }
}
