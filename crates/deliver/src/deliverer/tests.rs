//! Whoever hires workers, while what comes of attempts is written down slowly or not at all.

use std::time::Duration;

use mailtypes::{EnhancedCode, ItemId, Status};
use net::dns::MapDns;
use store::{Attempt, Destination, Embedded, Outcome};

use super::*;
use crate::limits::{
    GIVE_WAY_EACH, OUTCOMES_MAX, RECORD_AT_ONCE, RECORD_GIVING_WAY, SITE_WAITING_MAX, WINDOW,
};
use crate::outcome::{Ending, Told};
use crate::sites::age::Age;
use crate::testing::{Hosts, TAKES, World};

type Parts = Shared<Embedded, MapDns, Hosts>;

/// A deliverer of whose outcomes nobody writes down any.
struct Unwritten {
    world: World,
    shared: Arc<Parts>,
    ends: Ends,
    lease: Lease,
    /// Of which there is one for as long as it works.
    _leases: watch::Sender<Option<Lease>>,
    away: Option<Away<Embedded, MapDns, Hosts>>,
}

impl Unwritten {
    /// Nobody is at down.example, and everything is taken at up.example.
    async fn new(folder: &std::path::Path) -> Self {
        let world = World::new(folder).await;
        world.dns.set("A down.example 86400 192.0.2.1");
        world.dns.set("A up.example 86400 192.0.2.2");
        world.hosts.set("192.0.2.2:25", TAKES);
        let lease = world.store.lease(OWNER, LEASE).await.unwrap();
        let Deliverer {
            shared,
            addressing,
            ends,
            lease: leases,
            mut rng,
            ..
        } = world.deliverer();
        leases.send_replace(Some(lease.clone()));
        let rng = SmallRng::seed_from_u64(rng.random());
        let away = Away::new(Arc::clone(&shared), addressing, Arc::default(), rng);
        Self {
            world,
            shared,
            ends,
            lease,
            _leases: leases,
            away: Some(away),
        }
    }

    /// Messages that were tried before and are due again, in front of all that come later.
    async fn retries(&self, count: usize, to: &str) {
        let items = self.world.accept_many(count, &[to]).await;
        let now = self.world.clock.now();
        let deferred = |item: ItemId| Attempt {
            item,
            recipient: 0,
            since: now,
            at: now,
            outcome: Outcome::Deferred(status(), now),
            detail: String::new(),
            trail: None,
        };
        let attempts: Vec<_> = items.into_iter().map(deferred).collect();
        self.world
            .store
            .record(&self.lease, attempts)
            .await
            .unwrap();
        self.world.clock.advance(Duration::from_millis(1));
    }

    fn start(&mut self) -> tokio::task::JoinHandle<()> {
        let away = self.away.take().unwrap();
        tokio::spawn(away.run(Arc::clone(&self.world.wake)))
    }

    fn is_up_dialed(&self) -> bool {
        let dialed = self.world.hosts.dialed.lock().unwrap();
        dialed.iter().any(|to| to == "192.0.2.2:25")
    }

    /// Waits until so much is put off that no more of it is taken out of the queue.
    async fn is_full(&self) {
        for _ in 0..2000 {
            if self.shared.endings.room(Age::Again) == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{} outcomes wait", self.shared.endings.len());
    }
}

fn status() -> Status {
    Status::new(EnhancedCode::new(4, 4, 1), "nobody there")
}

/// However much is put off meanwhile, and no more of that is taken out of the queue than it has room for.
#[tokio::test]
async fn new_mail_is_tried_while_no_retry_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut unwritten = Unwritten::new(folder.path()).await;
    let most = OUTCOMES_MAX + SITE_WAITING_MAX + WINDOW;
    unwritten.retries(most + 1000, "x@down.example").await;
    let working = unwritten.start();
    unwritten.is_full().await;
    unwritten
        .world
        .accept(&[("x@up.example", Destination::Remote)])
        .await;
    unwritten.world.dialed(2).await;
    assert!(unwritten.is_up_dialed());
    // What is on its way meanwhile has come.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiting = unwritten.shared.endings.len();
    assert!(waiting <= most, "{waiting}");
    unwritten.shared.stop();
    working.await.unwrap();
}

/// A next hop that is down may have more than all others together.
#[tokio::test]
async fn what_fetches_more_of_one_does_not_hold_up_the_walk_to_others() {
    const BEFORE: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let mut unwritten = Unwritten::new(folder.path()).await;
    unwritten.retries(BEFORE, "x@down.example").await;
    unwritten.retries(1, "x@up.example").await;
    unwritten.retries(5 * BEFORE, "x@down.example").await;
    let working = unwritten.start();
    let mut written = 0;
    let mut told: Vec<Told> = Vec::new();
    while !unwritten.is_up_dialed() {
        let next = unwritten.ends.patient.recv_many(&mut told, 50);
        written += tokio::time::timeout(Duration::from_secs(10), next)
            .await
            .expect("something is put off");
        unwritten.shared.done_with(
            told.drain(..)
                .map(|told| told.due)
                .collect::<Vec<_>>()
                .iter(),
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(written <= 3 * BEFORE, "{written}");
    unwritten.shared.stop();
    working.await.unwrap();
}

/// It comes in pieces that nobody waits long for, and in large ones where there is nobody.
#[tokio::test]
async fn retries_are_written_down_in_small_pieces_beside_new_mail() {
    for (beside, most) in [(true, RECORD_GIVING_WAY), (false, RECORD_AT_ONCE)] {
        let folder = tempfile::tempdir().unwrap();
        let mut unwritten = Unwritten::new(folder.path()).await;
        let shared = Arc::clone(&unwritten.shared);
        for n in 0..2 * u32::try_from(RECORD_AT_ONCE).unwrap() {
            let due = store::Due {
                lane: store::Lane::Again,
                ..crate::testing::due(n)
            };
            let until = unwritten.world.clock.now();
            shared.postpone([due], &status(), until).await;
        }
        let patient =
            std::mem::replace(&mut unwritten.ends.patient, tokio::sync::mpsc::channel(1).1);
        let rng = SmallRng::seed_from_u64(1);
        let recorder = Recorder::new(Arc::clone(&shared), patient, Pace::Patient, rng);
        let (_going_on, ended) = watch::channel(false);
        let recording = tokio::spawn(recorder.run(ended));
        let mut left = shared.endings.len();
        let mut pieces = Vec::new();
        while left > 0 {
            if beside {
                shared.endings.count_prompt(1);
            }
            tokio::task::yield_now().await;
            let now = shared.endings.len();
            if now < left {
                pieces.push(left - now);
                left = now;
            }
        }
        // The first one has seen nobody yet.
        assert_eq!(pieces[0], RECORD_AT_ONCE);
        assert!(pieces[1..].iter().all(|piece| *piece <= most), "{pieces:?}");
        assert!(beside || pieces.len() == 2, "{pieces:?}");
        recording.abort();
    }
}

/// What was delivered, and nothing else.
#[tokio::test]
async fn what_is_written_down_promptly_is_given_way() {
    let folder = tempfile::tempdir().unwrap();
    let unwritten = Unwritten::new(folder.path()).await;
    let shared = Arc::clone(&unwritten.shared);
    let Ends { prompt, .. } = unwritten.ends;
    let rng = SmallRng::seed_from_u64(1);
    let recorder = Recorder::new(Arc::clone(&shared), prompt, Pace::Prompt, rng);
    let (going_on, ended) = watch::channel(false);
    let trail = crate::remote::trail::Trail::default();
    for (n, ending) in (0..).zip([
        Ending::Delivered(status()),
        Ending::Never(status()),
        Ending::Later(status()),
    ]) {
        shared.tell(crate::testing::due(n), ending, &trail).await;
    }
    going_on.send_replace(true);
    recorder.run(ended).await;
    let (pause, _) = shared.endings.give_way(Duration::from_secs(1));
    assert_eq!(pause, 2 * GIVE_WAY_EACH);
}
