//! Nothing that needs no network keeps others waiting.

use std::time::Duration;

use store::{Destination, EventKind, ItemView, RecipientState};

use crate::limits::{REPORT_WAIT_MAX, WINDOW};
use crate::testing::{TAKES, World};

const REMOTE: Destination = Destination::Remote;

/// Mail for Ann arrives, whatever else there is.
async fn ann_gets_mail(world: &World) {
    let ann = Destination::Account(world.ann);
    // The moment of what lies there is over.
    world.clock.advance(Duration::from_millis(1));
    let item = world
        .accept_from("bob@example.net", &[("ann@example.org", ann)])
        .await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
}

fn why(story: &ItemView) -> String {
    let end = story
        .events
        .iter()
        .find(|e| e.kind == EventKind::Suppressed);
    end.map(|event| event.detail.clone()).unwrap_or_default()
}

#[tokio::test]
async fn reports_that_wait_for_a_slow_host_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 60 192.0.2.1");
    world.dns.set("A slow.example 60 192.0.2.2");
    world.hosts.set("192.0.2.1:25", TAKES);
    world.hosts.set("192.0.2.2:25", &["STALL"]);
    let task = world.start();
    let nobody: Vec<String> = (0..WINDOW + 100)
        .map(|n| format!("nobody{n}@far.example"))
        .collect();
    let mut to = vec![("x@slow.example", REMOTE)];
    to.extend(nobody.iter().map(|address| (address.as_str(), REMOTE)));
    let item = world.accept(&to).await;
    for n in 1..to.len() {
        world.wait_for(item, n, RecipientState::BounceOwed, 1).await;
    }
    ann_gets_mail(&world).await;
    let slow = &world.story(item).await.recipients[0];
    assert_eq!((slow.state, slow.attempts), (RecipientState::Queued, 0));
    world.clock.advance(REPORT_WAIT_MAX);
    world.wait_for(item, 1, RecipientState::Bounced, 1).await;
    world
        .wait_for(item, WINDOW + 100, RecipientState::Bounced, 1)
        .await;
    world.end(task).await;
}

#[tokio::test]
async fn reports_that_can_never_be_sent_keep_nobody_waiting_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let mut items = Vec::new();
    for _ in 0..WINDOW + 10 {
        let to = [("x@gone.example", REMOTE)];
        items.push(world.accept_from("x@lost.example", &to).await);
    }
    let task = world.start();
    for item in &items {
        world
            .wait_for(*item, 0, RecipientState::BounceOwed, 1)
            .await;
    }
    ann_gets_mail(&world).await;
    world.clock.advance(Duration::from_hours(121));
    for item in &items {
        // Those that have not been tried yet are tried once, some in each round.
        for _ in 0..1000 {
            if world.story(*item).await.recipients[0].state == RecipientState::Suppressed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            world.clock.advance(Duration::from_secs(1));
        }
        world
            .wait_for(*item, 0, RecipientState::Suppressed, 1)
            .await;
    }
    let why = why(&world.story(items[0]).await);
    assert!(why.contains("it leads nowhere"), "{why}");
    world.end(task).await;
}

#[tokio::test]
async fn a_report_that_comes_to_grief_takes_nobody_along() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    let to = [("x@gone.example", REMOTE)];
    let item = world.accept_from("x@grief.example", &to).await;
    world.wait_for(item, 0, RecipientState::BounceOwed, 1).await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ann_gets_mail(&world).await;
        world.clock.advance(Duration::from_secs(2));
    }
    world.wait_for(item, 0, RecipientState::Suppressed, 1).await;
    let why = why(&world.story(item).await);
    assert!(why.contains("came to grief"), "{why}");
    world.end(task).await;
}
