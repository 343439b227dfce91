//! The end of a message's time, and what is said of it.

use std::sync::Arc;
use std::time::Duration;

use store::RecipientState;

use super::REMOTE;
use crate::schedule::Schedule;
use crate::testing::{TAKES, World};

/// Patience of so many minutes, at a host that is not there.
async fn world(folder: &tempfile::TempDir, warning: u64, lifetime: u64) -> World {
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 86400 192.0.2.1");
    let mut settings = (**world.settings.load()).clone();
    settings.schedule = Schedule {
        warning: Some(Duration::from_mins(warning)),
        lifetime: Duration::from_mins(lifetime),
        ..Schedule::default()
    };
    world.settings.store(Arc::new(settings));
    world
}

#[tokio::test]
async fn nothing_is_given_up_without_a_last_try() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder, 60, 7).await;
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.attempted(item, 1).await;
    world.clock.advance(Duration::from_mins(6));
    world.attempted(item, 2).await;
    // The host would be left alone for two minutes.
    world.hosts.set("192.0.2.1:25", TAKES);
    world.clock.advance(Duration::from_mins(1));
    world.wait_for(item, 0, RecipientState::Delivered, 3).await;
    world.end(task).await;
}

#[tokio::test]
async fn a_report_tells_of_the_last_time_that_somebody_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder, 7, 60).await;
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.attempted(item, 1).await;
    world.clock.advance(Duration::from_mins(6));
    world.attempted(item, 2).await;
    // The time of the warning is one at which the host is left alone.
    world.clock.advance(Duration::from_mins(1));
    let report = world.inbox(1).await.remove(0);
    let story = world.story(item).await;
    assert_eq!(story.recipients[0].attempts, 2, "{:?}", story.events);
    let at = message::date::rfc5322(story.events[1].at);
    assert!(
        report.contains(&format!("\r\nLast-Attempt-Date: {at}\r\n")),
        "{report}"
    );
    assert!(!report.contains("not tried"), "{report}");
    world.end(task).await;
}

#[tokio::test]
async fn what_was_never_tried_is_not_given_up_with_what_another_one_saw() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder, 60, 7).await;
    world.hosts.set("192.0.2.1:25", &["S 421 busy"]);
    let items = world.accept_many(5, &["x@far.example"]).await;
    // We were away for longer than they may wait.
    world.clock.advance(Duration::from_mins(10));
    let task = world.start();
    world.attended(&items).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    world.clock.advance(Duration::from_mins(6));
    for item in items {
        let story = world.story(item).await;
        assert_ne!(story.recipients[0].state, RecipientState::BounceOwed);
        world.wait_for(item, 0, RecipientState::Delivered, 2).await;
    }
    world.end(task).await;
}
