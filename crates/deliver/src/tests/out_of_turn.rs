//! Hosts that speak when nobody has asked them anything.

use std::time::Duration;

use store::RecipientState;

use super::REMOTE;
use crate::testing::{Script, World};

/// Up to the body of a message for one recipient.
macro_rules! up_to_body {
    ($($more:expr),*) => {
        &[
            "S 220 hi", "C", "S 250-hi\r\n250 PIPELINING", "C", "C", "C", "S 250 ok", "S 250 ok",
            "S 354 go", $($more),*
        ]
    };
}

async fn world(folder: &tempfile::TempDir, script: Script) -> World {
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 60 192.0.2.1");
    world.hosts.set("192.0.2.1:25", script);
    world
}

#[tokio::test]
async fn a_yes_before_the_message_is_none_to_it() {
    for script in [
        up_to_body!["S 250 early", "BODY", "S 554 no"],
        up_to_body!["S 550 early", "BODY", "S 250 taken"],
        up_to_body!["S 250-half of it", "BODY", "S 250 taken"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = world(&folder, script).await;
        let task = world.start();
        let item = world.accept(&[("x@far.example", REMOTE)]).await;
        let time_goes_by = async {
            // Whoever has said no is given some time to go.
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                world.clock.advance(Duration::from_secs(1));
            }
        };
        let story = tokio::select! {
            story = world.attempted(item, 1) => story,
            () = time_goes_by => unreachable!("time never ends"),
        };
        let recipient = &story.recipients[0];
        assert_eq!(recipient.state, RecipientState::Queued, "{script:?}");
        let status = recipient.status.clone().unwrap().to_string();
        assert!(status.contains("spoke out of turn"), "{status}");
        assert_eq!(world.hosts.bodies.lock().unwrap().len(), 0);
        world.end(task).await;
    }
}

#[tokio::test]
async fn a_connection_that_stands_by_ends_when_the_host_speaks() {
    for last in ["S 250 extra", "S 421 bye", "S 250-half", "CUT"] {
        let folder = tempfile::tempdir().unwrap();
        let script: Vec<&str> = [up_to_body!["BODY", "S 250 taken"], &[last, "STALL"][..]].concat();
        let world = world(&folder, Box::leak(script.into_boxed_slice())).await;
        let task = world.start();
        for n in 1..=2 {
            let item = world.accept(&[("x@far.example", REMOTE)]).await;
            world.wait_for(item, 0, RecipientState::Delivered, 1).await;
            assert_eq!(world.hosts.bodies.lock().unwrap().len(), n, "{last}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(world.hosts.dialed().len(), 2, "{last}");
        world.end(task).await;
    }
}
