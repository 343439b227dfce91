//! Hosts that have no session with us.

use std::time::Duration;

use mailtypes::ItemId;
use store::RecipientState;

use crate::limits::JOBS_AT_ONCE;
use crate::testing::{Script, World};

/// More than one worker takes at a time.
const MANY: usize = JOBS_AT_ONCE + 5;

/// Many messages for a domain with two hosts, after a try.
async fn tried(folder: &tempfile::TempDir, first: Script, second: Script) -> (World, Vec<ItemId>) {
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 86400 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 86400 192.0.2.1");
    world.dns.set("A b.far.example 86400 192.0.2.2");
    world.hosts.set("192.0.2.1:25", first);
    world.hosts.set("192.0.2.2:25", second);
    let items = world.accept_many(MANY, &["x@far.example"]).await;
    let task = world.start();
    world.attended(&items).await;
    world.end(task).await;
    (world, items)
}

const GO_AWAY: Script = &["S 554 5.7.1 go away", "C"];
const NO_NAME: Script = &["S 220 hi", "C", "S 502 what?", "C", "S 550 who?", "C"];
const NO_MAIL: Script = &["S 521 no mail here", "C"];
const NO_MAIL_AT_ALL: Script = &["S 556 no mail here", "C"];
const BUSY: Script = &["S 450 busy", "C"];

#[tokio::test]
async fn a_refused_session_says_nothing_of_any_message() {
    for (first, second, code) in [
        (GO_AWAY, GO_AWAY, "4.7.1"),
        (NO_NAME, NO_NAME, "4.0.0"),
        // One of them might take it some day.
        (NO_MAIL, GO_AWAY, "4.7.1"),
        (GO_AWAY, NO_MAIL, "4.7.1"),
        (NO_MAIL, BUSY, "4.0.0"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (world, items) = tried(&folder, first, second).await;
        for item in items {
            let recipient = world.story(item).await.recipients.remove(0);
            assert_eq!(recipient.state, RecipientState::Queued, "{first:?}");
            let status = recipient.status.unwrap();
            assert_eq!(status.code.to_string(), code, "{first:?} {second:?}");
        }
        assert_eq!(world.hosts.dialed().len(), 2, "nobody else goes and looks");
    }
}

/// RFC 7504 §3
#[tokio::test]
async fn where_no_host_takes_mail_all_of_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (world, items) = tried(&folder, NO_MAIL, NO_MAIL_AT_ALL).await;
    for item in items {
        let recipient = world.story(item).await.recipients.remove(0);
        let status = recipient.status.unwrap();
        assert_eq!(status.code.class, 5, "{status}");
        assert!(status.text.ends_with("no mail here"), "{status}");
    }
    assert_eq!(world.hosts.dialed().len(), 2);
}

/// RFC 5321 §5.1: the other one may be well.
#[tokio::test]
async fn a_no_for_good_is_none_while_another_host_cannot_be_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 86400 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 86400 192.0.2.1");
    world.dns.set("A b.far.example !servfail");
    world.hosts.set("192.0.2.1:25", NO_MAIL);
    let task = world.start();
    let item = world.accept_many(1, &["x@far.example"]).await[0];
    let recipient = world.attempted(item, 1).await.recipients.remove(0);
    assert_eq!(recipient.state, RecipientState::Queued);
    let status = recipient.status.unwrap().to_string();
    assert!(status.starts_with("4."), "{status}");
    assert!(status.ends_with("521 no mail here"), "{status}");
    world.end(task).await;
}

#[tokio::test]
async fn a_report_at_the_end_of_its_time_names_the_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let (world, items) = tried(&folder, GO_AWAY, GO_AWAY).await;
    world.clock.advance(Duration::from_hours(121));
    world.stop.send_replace(false);
    let task = world.start();
    world
        .wait_for(items[0], 0, RecipientState::Bounced, 2)
        .await;
    let report = world.inbox(1).await.remove(0);
    for part in [
        "Status: 5.4.7",
        "[192.0.2.2] said to the connection: 554 5.7.1 go away",
        "Diagnostic-Code: smtp; 554 5.7.1 go away",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    world.end(task).await;
}
