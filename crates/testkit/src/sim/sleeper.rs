//! A worker of a process that was believed dead: it has a message in hand, sleeps too long, and
//! comes back with an outcome that is not true any more.

use std::sync::Arc;
use std::time::Duration;

use mailtypes::{EnhancedCode, Status, Timestamp};
use net::Clock;
use rand::rngs::SmallRng;
use store::{Attempt, Due, Embedded, Lane, Lease, Outcome, Store};
use tokio::task::JoinHandle;

use super::host::Host;
use super::journal::Journal;
use super::{Sim, between, fork};

/// One for each server.
pub(super) fn start(sim: &Sim, rng: &mut SmallRng) -> Vec<JoinHandle<anyhow::Result<()>>> {
    let sleepers = sim.hosts.iter().map(|host| {
        let sleeper = Sleeper {
            host: Arc::clone(host),
            clock: sim.clock.clone(),
            journal: sim.journal.clone(),
            clear: sim.clear,
            rng: fork(rng),
        };
        tokio::spawn(sleeper.run())
    });
    sleepers.collect()
}

struct Sleeper {
    host: Arc<Host>,
    clock: Clock,
    journal: Journal,
    clear: Timestamp,
    rng: SmallRng,
}

impl Sleeper {
    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let pause = between(&mut self.rng, Duration::from_hours(1), PAUSE_MAX);
            let until = self.clock.now() + pause;
            self.clock.sleep_until(until.min(self.clear)).await;
            if self.clock.now() >= self.clear {
                return Ok(());
            }
            if let Ok(store) = self.host.store() {
                self.work(&store).await;
            }
        }
    }

    /// Works as a deliverer does that starts while another one is at work: under a lease of its own.
    async fn work(&mut self, store: &Embedded) {
        let Ok(lease) = store.lease(deliver::OWNER, deliver::limits::LEASE).await else {
            return;
        };
        let Some(taken) = self.take(store, &lease).await else {
            return;
        };
        let Due {
            item, recipient, ..
        } = taken;
        let name = self.host.name;
        self.journal.note(&format!(
            "somebody at {name} falls asleep over {item}/{recipient}"
        ));
        // The one who should do it takes a lease again when half of the last one is over.
        let sleep = between(&mut self.rng, deliver::limits::LEASE / 2, SLEEP_MAX);
        self.clock.sleep_until(self.clock.now() + sleep).await;
        let Ok(store) = self.host.store() else {
            return;
        };
        let attempt = Attempt {
            item,
            recipient,
            since: taken.due,
            at: self.clock.now(),
            outcome: Outcome::Delivered(Status::new(EnhancedCode::new(2, 0, 0), "in a dream")),
            detail: String::new(),
            trail: None,
        };
        let said = store.record(&lease, vec![attempt]).await;
        self.journal.note(&format!(
            "somebody at {name} wakes up over {item}/{recipient}: {said:?}"
        ));
    }

    /// Begins the next attempt that is due at another server.
    async fn take(&self, store: &Embedded, lease: &Lease) -> Option<Due> {
        let until = self.clock.now() + WAKE_MAX;
        while self.clock.now() < until {
            for lane in [Lane::Again, Lane::Fresh] {
                let page = store.due(lease, lane, None, 1).await.ok()?;
                if let Some(due) = page.due.into_iter().next() {
                    let mark = (due.item, due.recipient);
                    store.begin(lease, vec![mark], false).await.ok()?;
                    return Some(due);
                }
            }
            let soon = self.clock.now() + LOOK_EVERY;
            self.clock.sleep_until(soon).await;
        }
        None
    }
}

const PAUSE_MAX: Duration = Duration::from_hours(12);
/// By then the other deliverer has a lease again.
const WAKE_MAX: Duration = Duration::from_mins(14);
const LOOK_EVERY: Duration = Duration::from_secs(20);
const SLEEP_MAX: Duration = Duration::from_mins(90);
