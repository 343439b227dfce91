//! What becomes due while its next hop is left alone.

use std::time::Duration;

use store::RecipientState;

use super::REMOTE;
use crate::testing::{TAKES, World};

#[tokio::test]
async fn it_waits_as_if_it_had_been_there_when_the_try_failed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 86400 192.0.2.1");
    let task = world.start();
    let first = world.accept(&[("x@far.example", REMOTE)]).await;
    world.attempted(first, 1).await;
    let failed = world.clock.now();
    world.clock.advance(Duration::from_secs(30));
    let late = world.accept(&[("y@far.example", REMOTE)]).await;
    world.attended(&[late]).await;
    let story = world.story(late).await;
    assert_eq!(story.recipients[0].attempts, 0, "{:?}", story.events);
    let waits = story.recipients[0].due.unwrap().since(failed);
    // The host is left alone for a minute only. Chance adds up to a tenth.
    let five_minutes = Duration::from_mins(5);
    assert!(
        (five_minutes..=five_minutes.mul_f64(1.1)).contains(&waits),
        "{waits:?}"
    );
    world.hosts.set("192.0.2.1:25", TAKES);
    world.clock.advance(five_minutes.mul_f64(1.2));
    world.wait_for(late, 0, RecipientState::Delivered, 1).await;
    world.end(task).await;
}
