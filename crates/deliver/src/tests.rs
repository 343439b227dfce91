//! Delivery as a whole, in a small world.

use std::time::Duration;

use store::{Action, Destination, EventKind, RecipientState, Store};

use crate::limits::POLL;
use crate::testing::{TAKES, World};

mod crowds;
mod kept_back;
mod last_try;
mod many_hosts;
mod ours_now;
mod out_of_turn;
mod refused_sessions;
mod routes;
mod stopping;

const REMOTE: Destination = Destination::Remote;

#[tokio::test]
async fn a_message_comes_into_the_mailbox_with_its_marks() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    let ann = Destination::Account(world.ann);
    let item = world
        .accept_from("bob@example.net", &[("ann+news@example.org", ann)])
        .await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    assert_eq!(
        world.inbox(1).await,
        [
            "Return-Path: <bob@example.net>\r\nDelivered-To: ann+news@example.org\r\n\
             Received: by test\r\nSubject: hi\r\n\r\ntext\r\n"
        ]
    );
    world.end(task).await;
}

#[tokio::test]
async fn what_came_before_the_start_is_delivered_too() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let ann = Destination::Account(world.ann);
    let many: Vec<String> = (0..250).map(|n| format!("ann+{n}@example.org")).collect();
    let many: Vec<_> = many.iter().map(|address| (address.as_str(), ann)).collect();
    let item = world.accept(&many).await; // more than one request of the store takes
    let task = world.start();
    world
        .wait_for(item, 249, RecipientState::Delivered, 1)
        .await;
    assert_eq!(world.inbox(250).await.len(), 250);
    world.end(task).await;
}

#[tokio::test]
async fn a_message_goes_to_the_best_host_that_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 60 192.0.2.1");
    world.dns.set("A b.far.example 60 192.0.2.2");
    world.hosts.set("192.0.2.2:25", TAKES);
    let task = world.start();
    let item = world
        .accept(&[("x@far.example", REMOTE), ("nobody@far.example", REMOTE)])
        .await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    world.wait_for(item, 1, RecipientState::Bounced, 1).await;
    assert_eq!(world.hosts.dialed(), ["192.0.2.1:25", "192.0.2.2:25"]);
    let story = world.story(item).await;
    let done = story.events.iter().find(|e| e.kind == EventKind::Delivered);
    let trail = done.unwrap().trail.clone().unwrap();
    for part in [
        "MX far.example",
        "10 a.far.example",
        "192.0.2.2:25",
        "250 taken",
    ] {
        assert!(trail.contains(part), "{part} in {trail}");
    }
    let report = world.inbox(1).await.remove(0);
    assert!(report.contains("Final-Recipient: rfc822; nobody@far.example"));
    assert!(report.contains("Diagnostic-Code: smtp; 550 5.1.1 nobody"));
    world.end(task).await;
}

/// And the next message begins at the first one that can be reached. RFC 5321 §5.1
#[tokio::test]
async fn hosts_that_put_it_off_leave_it_to_the_next_one() {
    const PUTS_OFF: [&str; 4] = [
        "192.0.2.1:25",
        "192.0.2.2:25",
        "192.0.2.1:25",
        "192.0.2.2:25",
    ];
    const NO_SESSION: [&str; 2] = ["192.0.2.1:25", "192.0.2.2:25"];
    for (script, dialed) in [
        (&["S 421 no"][..], &NO_SESSION[..]),
        (
            &["S 220 hi", "C", "S 250 hi", "C", "S 451 no", "C", "CUT"][..],
            &PUTS_OFF[..],
        ),
        (
            &[
                "S 220 hi",
                "C",
                "S 250 hi",
                "C",
                "S 250 ok",
                "C",
                "S 450 later",
                "C",
            ][..],
            &PUTS_OFF[..],
        ),
        (&["S 220 hi", "C", "CUT"][..], &NO_SESSION[..]),
        (&["S hello", "C"][..], &NO_SESSION[..]),
        (&["S 554 go away", "C"][..], &NO_SESSION[..]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path()).await;
        world
            .dns
            .set("MX far.example 60 10 a.far.example, 20 b.far.example");
        world.dns.set("A a.far.example 60 192.0.2.1");
        world.dns.set("A b.far.example 60 192.0.2.2");
        world.hosts.set("192.0.2.1:25", script);
        world.hosts.set("192.0.2.2:25", TAKES);
        let task = world.start();
        for _ in 0..2 {
            let item = world.accept(&[("x@far.example", REMOTE)]).await;
            world.wait_for(item, 0, RecipientState::Delivered, 1).await;
        }
        assert_eq!(world.hosts.bodies.lock().unwrap().len(), 2, "{script:?}");
        assert_eq!(world.hosts.dialed(), dialed, "{script:?}");
        world.end(task).await;
    }
}

#[tokio::test]
async fn a_host_that_stalls_costs_its_time_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 60 192.0.2.1");
    world.dns.set("A b.far.example 60 192.0.2.2");
    world.dns.set("A near.example 60 192.0.2.3");
    world.hosts.set("192.0.2.1:25", &["STALL"]);
    world.hosts.set("192.0.2.2:25", TAKES);
    world.hosts.set("192.0.2.3:25", TAKES);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    let other = world.accept(&[("x@near.example", REMOTE)]).await;
    world.wait_for(other, 0, RecipientState::Delivered, 1).await;
    world.wait_for(item, 0, RecipientState::Queued, 0).await;
    world.clock.advance(Duration::from_mins(5));
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    world.end(task).await;
}

#[tokio::test]
async fn a_lost_reply_to_the_final_dot_is_not_tried_elsewhere_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 60 192.0.2.1");
    world.dns.set("A b.far.example 60 192.0.2.2");
    world.hosts.set(
        "192.0.2.1:25",
        &[
            "S 220 hi", "C", "S 250 hi", "C", "S 250 ok", "C", "S 250 ok", "C", "S 354 go", "BODY",
            "CUT",
        ],
    );
    world.hosts.set("192.0.2.2:25", TAKES);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Queued, 1).await;
    assert_eq!(world.hosts.dialed(), ["192.0.2.1:25"]);
    let status = world.story(item).await.recipients[0].status.clone();
    assert!(status.unwrap().text.contains("the end of the message"));
    world.end(task).await;
}

#[tokio::test]
async fn what_the_dns_says_is_believed() {
    for (lines, state, code) in [
        (
            &["MX far.example 60 0 ."][..],
            RecipientState::Bounced,
            "5.1.10",
        ),
        (&[][..], RecipientState::Bounced, "5.1.2"),
        (
            &["MX far.example !servfail"][..],
            RecipientState::Queued,
            "4.4.3",
        ),
        (
            &["MX far.example !timeout"][..],
            RecipientState::Queued,
            "4.4.3",
        ),
        (
            &[
                "MX far.example 60 10 mx.example.org",
                "A mx.example.org 60 192.0.2.9",
            ][..],
            RecipientState::Bounced,
            "5.4.6",
        ),
        (
            &["A far.example 60 192.0.2.1"][..],
            RecipientState::Queued,
            "4.4.1",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path()).await;
        lines.iter().for_each(|line| world.dns.set(line));
        let task = world.start();
        let item = world.accept(&[("x@far.example", REMOTE)]).await;
        world.wait_for(item, 0, state, 1).await;
        let status = world.story(item).await.recipients[0].status.clone();
        assert_eq!(status.unwrap().code.to_string(), code, "{lines:?}");
        world.end(task).await;
    }
}

#[tokio::test]
async fn five_days_at_a_dead_host_end_in_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A dead.example 86400 192.0.2.1");
    let task = world.start();
    let item = world.accept(&[("x@dead.example", REMOTE)]).await;
    let mut warned = false;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let story = world.attempted(item, attempts).await;
        let Some(due) = story.recipients[0].due else {
            break;
        };
        let passed = world.clock.now().since(story.accepted);
        if !warned && passed >= Duration::from_hours(4) {
            assert_eq!(passed, Duration::from_hours(4));
            let inbox = world.inbox(1).await;
            assert!(inbox[0].contains("Action: delayed"));
            warned = true;
        }
        world.clock.advance(due.since(world.clock.now()));
    }
    world.wait_for(item, 0, RecipientState::Bounced, 30).await;
    assert_eq!(
        world.clock.now().since(world.story(item).await.accepted),
        Duration::from_hours(120)
    );
    let inbox = world.inbox(2).await;
    assert_eq!(inbox.len(), 2);
    assert!(inbox[1].contains("Action: failed\r\nStatus: 5.4.7"));
    assert!(warned && (30..=45).contains(&attempts), "{attempts}");
    world.end(task).await;
}

#[tokio::test]
async fn nobody_is_told_about_a_message_without_a_sender() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    let item = world.accept_from("", &[("x@gone.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Suppressed, 1).await;
    world.end(task).await;
}

#[tokio::test]
async fn mail_for_a_removed_account_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A example.net 60 192.0.2.1");
    world.hosts.set("192.0.2.1:25", TAKES);
    let ann = [("ann@example.org", Destination::Account(world.ann))];
    let item = world.accept_from("bob@example.net", &ann).await;
    let address = crate::testing::mailbox("ann@example.org");
    world.store.remove_account(&address).await.unwrap();
    let task = world.start();
    world.wait_for(item, 0, RecipientState::Bounced, 1).await;
    for _ in 0..1000 {
        if !world.hosts.bodies.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let report = world.hosts.bodies.lock().unwrap()[0].1.clone();
    assert!(report.contains("Status: 5.1.1"), "{report}");
    world.end(task).await;
}

#[tokio::test]
async fn a_maildir_gets_the_mail_of_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let path = folder.path().join("ann");
    let delivery = store::AccountDelivery {
        maildir: Some(path.display().to_string()),
        ..store::AccountDelivery::default()
    };
    let address = crate::testing::mailbox("ann@example.org");
    world.store.set_delivery(&address, delivery).await.unwrap();
    let task = world.start();
    let ann = Destination::Account(world.ann);
    let item = world
        .accept_from("bob@example.net", &[("ann@example.org", ann)])
        .await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    let files: Vec<_> = std::fs::read_dir(path.join("new")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let text = std::fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    assert!(text.starts_with("Return-Path: <bob@example.net>\nDelivered-To: ann@example.org\n"));
    // The one that it brought is gone. RFC 5321 §4.4
    assert_eq!(text.matches("Return-Path:").count(), 1, "{text}");
    world.end(task).await;
}

#[tokio::test]
async fn many_messages_share_connections() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 60 192.0.2.1");
    world.hosts.set("192.0.2.1:25", TAKES);
    let mut items = Vec::new();
    for _ in 0..200 {
        items.push(world.accept(&[("x@far.example", REMOTE)]).await);
    }
    let task = world.start();
    for item in items {
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    }
    let connections = world.hosts.dialed().len();
    assert!(connections <= 4, "{connections} connections");
    assert_eq!(world.hosts.bodies.lock().unwrap().len(), 200);
    world.end(task).await;
}

#[tokio::test]
async fn a_report_names_the_host_of_a_kept_connection() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("MX far.example 60 10 mx.far.example");
    world.dns.set("A mx.far.example 60 192.0.2.1");
    world.hosts.set("192.0.2.1:25", TAKES);
    let task = world.start();
    for (to, state) in [
        ("x@far.example", RecipientState::Delivered),
        ("nobody@far.example", RecipientState::Bounced),
    ] {
        let item = world.accept(&[(to, REMOTE)]).await;
        world.wait_for(item, 0, state, 1).await;
    }
    assert_eq!(world.hosts.dialed(), ["192.0.2.1:25"], "it was kept");
    let report = world.inbox(1).await.remove(0);
    assert!(
        report.contains("\r\nRemote-MTA: dns; mx.far.example (192.0.2.1)\r\n"),
        "{report}"
    );
    world.end(task).await;
}

#[tokio::test]
async fn a_message_that_brings_workers_down_is_set_aside_and_costs_others_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A grief.example 60 192.0.2.1");
    world.dns.set("A far.example 60 192.0.2.2");
    world.hosts.set("192.0.2.1:25", &["GRIEF"]);
    world.hosts.set("192.0.2.2:25", TAKES);
    let task = world.start();
    let killer = world.accept(&[("x@grief.example", REMOTE)]).await;
    world.attempted(killer, 1).await;
    world.clock.advance(Duration::from_mins(6));
    world.wait_for(killer, 0, RecipientState::Held, 2).await;
    let other = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(other, 0, RecipientState::Delivered, 1).await;
    let told: Vec<_> = world
        .story(killer)
        .await
        .events
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(
        told,
        [EventKind::Crashed, EventKind::Crashed, EventKind::Held]
    );
    // Whoever releases it gives it another chance.
    world.hosts.set("192.0.2.1:25", TAKES);
    let by = "ann";
    world
        .store
        .operate(Action::Release, killer, None, by)
        .await
        .unwrap();
    world.wake.notify_one();
    world
        .wait_for(killer, 0, RecipientState::Delivered, 3)
        .await;
    world.end(task).await;
}

/// Replies before anything was asked, in one breath with the greeting.
#[tokio::test]
async fn a_host_that_speaks_out_of_turn_loses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example, 30 c.far.example");
    world.dns.set("A a.far.example 60 192.0.2.1");
    world.dns.set("A b.far.example 60 192.0.2.2");
    world.dns.set("A c.far.example 60 192.0.2.3");
    world
        .hosts
        .set("192.0.2.1:25", &["S 220 hi\r\n250 ok\r\n250 ok", "STALL"]);
    world
        .hosts
        .set("192.0.2.2:25", &["S 220 hi\r\n250 ok\r\n421 bye", "STALL"]);
    world.hosts.set("192.0.2.3:25", TAKES);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    assert_eq!(
        world.hosts.dialed(),
        ["192.0.2.1:25", "192.0.2.2:25", "192.0.2.3:25"]
    );
    world.end(task).await;
}

/// Half a reply that nobody has asked for stands in front of the next message.
#[tokio::test]
async fn half_a_reply_too_many_costs_its_time_and_loses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 60 192.0.2.1");
    world
        .hosts
        .set("192.0.2.1:25", &["S 220 hi\r\n250 ok\r\n25", "STALL"]);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    while world.hosts.dialed.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        world.clock.advance(Duration::from_mins(1));
    }
    world.wait_for(item, 0, RecipientState::Queued, 1).await;
    world.end(task).await;
}

#[tokio::test]
async fn it_stops_when_told_and_when_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let task = world.start();
    tokio::task::yield_now().await;
    world.end(task).await;
    world.stop.send_replace(false);
    let task = world.start();
    world.store.close();
    world.clock.advance(POLL);
    tokio::time::timeout(Duration::from_secs(10), task)
        .await
        .unwrap()
        .unwrap();
}
