//! Much mail for one next hop, and next hops that are in trouble.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::smtp::client::ClientSettings;
use store::{RecipientState, Store};

use super::REMOTE;
use crate::Limits;
use crate::limits::{LINE_WAIT, MESSAGES_WHILE_WANTED};
use crate::schedule::Schedule;
use crate::testing::{Script, TAKES, World};

/// More than a next hop has in memory, and more than two pages of the store.
const CROWD: usize = 2500;

/// Says hello, and puts one recipient off.
const GREYLISTS: Script = &[
    "S 220 hi",
    "C",
    "S 250 hi",
    "C",
    "S 250 ok",
    "C",
    "S 450 4.7.1 come back later",
    "C",
    "S 221 bye",
];

async fn world(folder: &tempfile::TempDir) -> World {
    let world = World::new(folder.path()).await;
    world.dns.set("A far.example 86400 192.0.2.1");
    world
}

fn dials(world: &World, address: &str) -> usize {
    let dialed = world.hosts.dialed.lock().unwrap();
    dialed.iter().filter(|to| *to == address).count()
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never {what}");
}

#[tokio::test]
async fn nothing_that_is_due_at_a_dead_host_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let items = world.accept_many(CROWD, &["x@far.example"]).await;
    let task = world.start();
    world.attended(&items).await;
    assert_eq!(dials(&world, "192.0.2.1:25"), 1);
    world.end(task).await;
}

#[tokio::test]
async fn nothing_that_is_due_at_a_healthy_host_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    let items = world.accept_many(CROWD, &["x@far.example"]).await;
    let task = world.start();
    for item in items {
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    }
    world.end(task).await;
}

#[tokio::test]
async fn nothing_is_forgotten_while_more_than_a_page_is_in_hand() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    let many: Vec<_> = (0..100).map(|n| format!("u{n}@far.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let items = world.accept_many(30, &many).await;
    let task = world.start();
    for item in items {
        for n in [0, 99] {
            world.wait_for(item, n, RecipientState::Delivered, 1).await;
        }
    }
    world.end(task).await;
}

/// With more domains than are remembered the lane is gone through.
#[tokio::test]
async fn nothing_is_forgotten_behind_a_smarthost() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    let mut settings = (**world.settings.load()).clone();
    let smarthost = crate::NextHop::parse("[192.0.2.1]:25").unwrap();
    settings.routes.add(crate::Pattern::Default, smarthost);
    world.settings.store(Arc::new(settings));
    let domains: Vec<_> = (0..80).map(|n| format!("x@d{n}.example")).collect();
    let domains: Vec<_> = domains.iter().map(String::as_str).collect();
    let items = world.accept_many(30, &domains).await;
    let task = world.start();
    for item in items {
        for n in [0, 79] {
            world.wait_for(item, n, RecipientState::Delivered, 1).await;
        }
    }
    world.end(task).await;
}

#[tokio::test]
async fn ten_jobs_at_a_dead_host_dial_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let items = world.accept_many(10, &["x@far.example"]).await;
    let task = world.start();
    world.attended(&items).await;
    assert_eq!(dials(&world, "192.0.2.1:25"), 1);
    // It was one failure: the first retry of each is a real one.
    world.clock.advance(Duration::from_mins(6));
    world.wake.notify_one();
    for item in &items {
        world.attempted(*item, 2).await;
    }
    assert_eq!(dials(&world, "192.0.2.1:25"), 2);
    world.end(task).await;
}

#[tokio::test]
async fn hosts_that_swallow_everything_take_a_worker_each() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.hosts.set("192.0.2.100:25", TAKES);
    world.dns.set("A near.example 86400 192.0.2.100");
    for n in 0..10 {
        let address = format!("192.0.2.{n}");
        world.dns.set(&format!("A dead{n}.example 86400 {address}"));
        world.hosts.set(&format!("{address}:25"), &["SILENCE"]);
        let to = format!("x@dead{n}.example");
        world.accept_many(20, &[&to]).await;
    }
    let task = world.start();
    until("all were tried", || {
        world.hosts.dialed.lock().unwrap().len() >= 10
    })
    .await;
    let item = world.accept(&[("x@near.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    assert_eq!(world.hosts.dialed().len(), 11);
    task.abort();
}

#[tokio::test]
async fn a_dead_second_host_says_nothing_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world
        .dns
        .set("MX far.example 60 10 a.far.example, 20 b.far.example");
    world.dns.set("A a.far.example 60 192.0.2.1");
    world.dns.set("A b.far.example 60 192.0.2.2");
    world.hosts.set("192.0.2.1:25", GREYLISTS);
    let task = world.start();
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Queued, 1).await;
    let status = world.story(item).await.recipients[0].status.clone();
    let status = status.unwrap();
    assert_eq!(status.code.to_string(), "4.7.1", "{status}");
    assert_eq!(world.hosts.dialed(), ["192.0.2.1:25", "192.0.2.2:25"]);
    // The next hop is not left alone for it.
    world.hosts.set("192.0.2.1:25", TAKES);
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    world.end(task).await;
}

#[tokio::test]
async fn a_fault_of_this_machine_is_not_held_against_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    world.hosts.set("192.0.2.1:25", &["NO PORT"]);
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    let task = world.start();
    let story = world.attempted(item, 1).await;
    let status = story.recipients[0].status.clone().unwrap();
    assert_eq!(status.code.to_string(), "4.3.0", "{status}");
    world.hosts.set("192.0.2.1:25", TAKES);
    let item = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    world.end(task).await;
}

/// Who cannot write down what he has done must do no more.
#[tokio::test]
async fn when_the_recorder_ends_delivery_ends() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    world.hosts.set("192.0.2.1:25", GREYLISTS);
    let mut settings = (**world.settings.load()).clone();
    // More than a duration can hold, with the jitter.
    settings.schedule = Schedule {
        first: Duration::MAX,
        longest: Duration::MAX,
        ..Schedule::default()
    };
    world.settings.store(Arc::new(settings));
    let task = world.start();
    world.accept(&[("x@far.example", REMOTE)]).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), task).await;
    assert!(ended.expect("it ends").unwrap_err().is_panic());
    assert_eq!(dials(&world, "192.0.2.1:25"), 1);
    assert!(world.store.audit().await.unwrap().problems.is_empty());
}

#[tokio::test]
async fn a_healthy_host_gets_all_its_workers() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder).await;
    let mut settings = (**world.settings.load()).clone();
    settings.limits = Limits {
        total: 20,
        per_hop: 4,
    };
    world.settings.store(Arc::new(settings));
    // Each says hello and takes its time over the first message.
    world
        .hosts
        .set("192.0.2.1:25", &["S 220 hi", "C", "S 250 hi", "C", "STALL"]);
    world.accept_many(100, &["x@far.example"]).await;
    let task = world.start();
    until("all are there", || dials(&world, "192.0.2.1:25") == 4).await;
    task.abort();
}

/// Counts warnings that begin with a text.
struct Warnings(&'static str, Arc<AtomicUsize>);

impl tracing::field::Visit for Warnings {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" && format!("{value:?}").starts_with(self.0) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl tracing::Subscriber for Warnings {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Self(self.0, Arc::clone(&self.1)));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// A host that serves many domains is one host: it gets no more connections than one may.
#[tokio::test]
async fn one_host_for_many_domains_is_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    world.hosts.set("192.0.2.1:25", TAKES);
    let mut items = Vec::new();
    for n in 0..20 {
        world.dns.set(&format!("A d{n}.example 86400 192.0.2.1"));
        let to = format!("x@d{n}.example");
        items.extend(world.accept_many(3, &[&to]).await);
    }
    let task = world.start();
    for item in items {
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    }
    let most = world.hosts.most_at_once();
    assert!((2..=4).contains(&most), "{most} connections at once");
    world.end(task).await;
}

/// A host that serves many domains and never greets keeps two workers, and what waits for it nobody.
#[tokio::test]
async fn whoever_finds_no_place_keeps_no_worker() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let mut settings = (**world.settings.load()).clone();
    settings.limits = Limits {
        total: 8,
        per_hop: 2,
    };
    settings.client = Arc::new(ClientSettings {
        greeting_timeout: 2 * LINE_WAIT,
        ..ClientSettings::default()
    });
    world.settings.store(Arc::new(settings));
    world.hosts.set("192.0.2.1:25", &["STALL"]);
    world.dns.set("A far.example 86400 192.0.2.2");
    world.hosts.set("192.0.2.2:25", TAKES);
    let mut crowd = Vec::new();
    for n in 0..30 {
        world.dns.set(&format!("A d{n}.example 86400 192.0.2.1"));
        let to = format!("x@d{n}.example");
        crowd.extend(world.accept_many(2, &[&to]).await);
    }
    let task = world.start();
    until("two wait for a greeting", || {
        dials(&world, "192.0.2.1:25") == 2
    })
    .await;
    let other = world.accept(&[("x@far.example", REMOTE)]).await;
    world.wait_for(other, 0, RecipientState::Delivered, 1).await;
    // The others are told why they wait, and no attempt is counted.
    world.clock.advance(LINE_WAIT);
    let mut told = 0;
    for _ in 0..1000 {
        told = 0;
        for item in &crowd {
            let recipient = world.story(*item).await.recipients.remove(0);
            assert_eq!(recipient.attempts, 0);
            let status = recipient.status.map(|status| status.text);
            told += usize::from(status.is_some_and(|text| text.contains("2 connections")));
        }
        if told == 28 * 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(told, 28 * 2);
    world.hosts.set("192.0.2.1:25", TAKES);
    for item in crowd {
        let is_there =
            async || world.story(item).await.recipients[0].state == RecipientState::Delivered;
        // Two of them have seen the host stall, and have pauses of their own.
        for _ in 0..1000 {
            if is_there().await {
                break;
            }
            world.clock.advance(Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(is_there().await);
    }
    world.end(task).await;
}

/// One that has much to send leaves its place to one that has little.
#[tokio::test]
async fn they_take_turns_at_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let mut settings = (**world.settings.load()).clone();
    settings.limits.per_hop = 1;
    world.settings.store(Arc::new(settings));
    world.hosts.set("192.0.2.1:25", TAKES);
    for name in ["much", "little"] {
        world.dns.set(&format!("A {name}.example 86400 192.0.2.1"));
    }
    let count = 10 * MESSAGES_WHILE_WANTED as usize;
    let much = world.accept_many(count, &["x@much.example"]).await;
    let little = world.accept_many(1, &["x@little.example"]).await;
    let task = world.start();
    world
        .wait_for(little[0], 0, RecipientState::Delivered, 1)
        .await;
    let last = world
        .story(*much.last().unwrap())
        .await
        .recipients
        .remove(0);
    assert_eq!(
        last.state,
        RecipientState::Queued,
        "it has not waited for all"
    );
    for item in much {
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    }
    assert_eq!(world.hosts.most_at_once(), 1);
    world.end(task).await;
}

/// A store that cannot write makes everybody wait, once for all.
#[tokio::test]
async fn when_nothing_can_begin_everything_waits() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path()).await;
    let db = rusqlite::Connection::open(folder.path().join(store::DATABASE)).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch(
        "CREATE TRIGGER no_begin BEFORE UPDATE OF hands ON recipient WHEN NEW.hands IS NOT NULL
         BEGIN SELECT RAISE(ABORT, 'as the test wants'); END",
    )
    .unwrap();
    let mut items = Vec::new();
    for n in 0..20 {
        let address = format!("192.0.2.{n}");
        world.dns.set(&format!("A d{n}.example 86400 {address}"));
        world.hosts.set(&format!("{address}:25"), TAKES);
        let to = format!("x@d{n}.example");
        items.extend(world.accept_many(20, &[&to]).await);
    }
    let told = Arc::default();
    let warnings = Warnings("deliveries cannot begin", Arc::clone(&told));
    let _guard = tracing::subscriber::set_default(warnings);
    let task = world.start();
    until("it failed", || told.load(Ordering::Relaxed) > 0).await;
    for expect in 1..4 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(
            told.load(Ordering::Relaxed),
            expect,
            "one line for each pause"
        );
        world.clock.advance(Duration::from_secs(1 << (expect - 1)));
        world.wake.notify_one();
    }
    db.execute_batch("DROP TRIGGER no_begin").unwrap();
    world.clock.advance(Duration::from_secs(8));
    world.wake.notify_one();
    for item in items {
        world.wait_for(item, 0, RecipientState::Delivered, 1).await;
    }
    world.end(task).await;
}
