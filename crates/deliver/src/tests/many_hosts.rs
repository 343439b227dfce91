//! Domains with more hosts and addresses than one visit tries.

use std::time::Duration;

use store::RecipientState;

use super::REMOTE;
use crate::limits::ADDRESSES_TRIED_MAX;
use crate::testing::{Script, TAKES, World};

const NO_MAIL: Script = &["S 521 no mail here", "C"];

/// `h1.far.example` to `h<count>`, each worse than the one before, one address each.
async fn many(folder: &tempfile::TempDir, count: usize) -> World {
    let world = World::new(folder.path()).await;
    let mx: Vec<String> = (1..=count)
        .map(|n| format!("{n} h{n}.far.example"))
        .collect();
    world
        .dns
        .set(&format!("MX far.example 864000 {}", mx.join(", ")));
    for n in 1..=count {
        world
            .dns
            .set(&format!("A h{n}.far.example 864000 192.0.2.{n}"));
    }
    world
}

#[tokio::test]
async fn dead_addresses_of_the_best_host_leave_room_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example");
    let dead: Vec<String> = (1..=12).map(|n| format!("192.0.2.{n}")).collect();
    world
        .dns
        .set(&format!("A a.far.example 60 {}", dead.join(", ")));
    world.dns.set("A b.far.example 60 192.0.2.99");
    world.hosts.set("192.0.2.99:25", TAKES);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    assert_eq!(world.hosts.dialed().len(), ADDRESSES_TRIED_MAX);
    world.end(task).await;
}

#[tokio::test]
async fn a_host_behind_many_dead_ones_is_reached_by_a_later_visit() {
    let folder = tempfile::tempdir().unwrap();
    let world = many(&folder, 14).await;
    world.hosts.set("192.0.2.14:25", TAKES);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    let story = world.attempted(item, 1).await;
    assert_eq!(story.recipients[0].state, RecipientState::Queued);
    assert_eq!(world.hosts.dialed().len(), ADDRESSES_TRIED_MAX);
    world.clock.advance(Duration::from_mins(10));
    let story = world.attempted(item, 2).await;
    if story.recipients[0].state == RecipientState::Queued {
        world.clock.advance(Duration::from_hours(2));
    }
    world.wait_for(item, 0, RecipientState::Delivered, 2).await;
    world.end(task).await;
}

/// RFC 7504 §3
#[tokio::test]
async fn a_no_for_good_is_none_while_some_were_not_tried() {
    for (count, state) in [
        (ADDRESSES_TRIED_MAX, RecipientState::Bounced),
        (ADDRESSES_TRIED_MAX + 1, RecipientState::Queued),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = many(&folder, count).await;
        for n in 1..=count {
            world.hosts.set(&format!("192.0.2.{n}:25"), NO_MAIL);
        }
        let task = world.start();
        let item = world.accept(&[("x@far.example", REMOTE)]).await;
        world.wait_for(item, 0, state, 1).await;
        let status = world.story(item).await.recipients[0].status.clone();
        let text = status.unwrap().to_string();
        assert!(text.contains("521 no mail here"), "{text}");
        world.end(task).await;
    }
}
