//! What becomes due while its next hop is left alone.

use std::time::Duration;

use store::RecipientState;

use super::REMOTE;
use crate::testing::{TAKES, World};

#[tokio::test]
async fn it_comes_when_the_pause_ends() {
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
    let until = story.recipients[0].due.unwrap();
    assert_eq!(until.since(failed), Duration::from_mins(1));
    // Both wait now, and one try goes for both.
    world.clock.advance(Duration::from_secs(30));
    world.attempted(late, 1).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    world.clock.advance(Duration::from_mins(6));
    for (item, attempts) in [(first, 2), (late, 2)] {
        world
            .wait_for(item, 0, RecipientState::Delivered, attempts)
            .await;
    }
    world.end(task).await;
}
