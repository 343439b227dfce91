//! Mail for another server whose domain becomes ours while it waits.

use std::time::Duration;

use mailtypes::Domain;
use store::{AccountDelivery, RecipientState, Store};

use super::REMOTE;
use crate::Settings;
use crate::testing::{World, mailbox};

/// A message for `to` has seen one attempt; then its domain becomes ours, and its MX leads here.
async fn moved(folder: &tempfile::TempDir, to: &str) -> (World, mailtypes::ItemId) {
    let world = World::new(folder.path()).await;
    let mut settings = Settings::clone(&world.settings.load());
    let home = std::mem::replace(
        &mut settings.domains,
        vec![Domain::parse("other.example").unwrap()],
    );
    let host = mailbox(to).host.to_string();
    world.dns.set(&format!("MX {host} !servfail"));
    world.settings.store(settings.clone().into());
    let task = world.start();
    let item = world.accept(&[(to, REMOTE)]).await;
    world.attempted(item, 1).await;
    world.end(task).await;
    world.dns.set(&format!("MX {host} 60 10 mx.example.org"));
    settings.domains = home;
    settings.domains.push(Domain::parse(&host).unwrap());
    world.settings.store(settings.into());
    world.stop.send_replace(false);
    (world, item)
}

#[tokio::test]
async fn mail_for_a_domain_that_becomes_ours_comes_home() {
    for maildir in [None, Some(())] {
        let folder = tempfile::tempdir().unwrap();
        let (world, item) = moved(&folder, "ann@example.org").await;
        let path = folder.path().join("Maildir");
        if maildir.is_some() {
            let delivery = AccountDelivery {
                maildir: Some(path.display().to_string()),
                ..AccountDelivery::default()
            };
            let ann = mailbox("ann@example.org");
            world.store.set_delivery(&ann, delivery).await.unwrap();
        }
        let task = world.start();
        world.clock.advance(Duration::from_mins(6));
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
        let mut inbox = 1;
        if maildir.is_some() {
            assert_eq!(std::fs::read_dir(path.join("new")).unwrap().count(), 1);
            inbox = 0;
        }
        assert_eq!(world.inbox(inbox).await.len(), inbox);
        assert_eq!(world.hosts.dialed(), [""; 0]);
        world.end(task).await;
    }
}

/// Nobody else is home to it, so it does not come back as a loop.
#[tokio::test]
async fn mail_for_nobody_at_a_domain_that_becomes_ours_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (world, item) = moved(&folder, "x@far.example").await;
    let task = world.start();
    world.clock.advance(Duration::from_mins(6));
    let recipient = world.attempted(item, 2).await.recipients.remove(0);
    assert_eq!(recipient.state, RecipientState::Queued);
    let status = recipient.status.unwrap().to_string();
    assert!(status.starts_with("4.3.5 "), "{status}");
    assert!(status.contains("is a domain of ours now, but "), "{status}");
    world.end(task).await;
}

/// However late it is.
#[tokio::test]
async fn our_own_trouble_is_no_attempt_to_bring_mail_home() {
    for to in ["x@lost.example", "x@grief.example"] {
        let folder = tempfile::tempdir().unwrap();
        let (world, item) = moved(&folder, to).await;
        let task = world.start();
        let mut due = world.story(item).await.recipients[0].due;
        for away in [Duration::from_mins(6), Duration::from_hours(6 * 24)] {
            world.clock.advance(away);
            let before = due;
            for _ in 0..1000 {
                due = world.story(item).await.recipients[0].due;
                if due > before {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(due > before, "{to}");
        }
        let recipient = &world.story(item).await.recipients[0];
        assert_eq!(recipient.state, RecipientState::Queued, "{to}");
        assert_eq!(recipient.attempts, 1, "{to}");
        world.end(task).await;
    }
}
