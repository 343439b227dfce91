//! All parts of delivery, wired together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use mailtypes::Host;
use net::dns::Dns;
use net::{Clock, Dial};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use store::{Addressing, Lease, Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::away::Away;
use crate::endings::{Endings, Ends};
use crate::forgive::Forgive;
use crate::here::Here;
use crate::kept::KeptView;
use crate::late::Late;
use crate::limits::{LEASE, in_hand_max};
use crate::metrics::Metrics;
use crate::patience;
use crate::recorder::{Pace, Recorder};
use crate::remote::{Addresses, Ahead};
use crate::reports::Reporter;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::sites::Sites;

/// Brings what lies in the queue to where it shall be.
///
/// Memory holds a window of due recipients; the rest of the queue costs disk only.
pub struct Deliverer<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    addressing: Arc<dyn Addressing>,
    ends: Ends,
    lease: watch::Sender<Option<Lease>>,
    wake: Arc<Notify>,
    rng: SmallRng,
}

/// What others may ask of a running deliverer.
#[derive(Clone, Debug)]
pub struct Handle {
    wake: Arc<Notify>,
    forgive: Forgive,
}

impl Handle {
    /// Something may be due now for mail to these hosts, or to any, also where nobody could be
    /// reached a moment ago.
    pub fn try_at_once(&self, hosts: Option<&[Host]>) {
        self.forgive.add(hosts);
        self.wake.notify_one();
    }
}

impl<S: Store, R: Dns, D: Dial> Deliverer<S, R, D> {
    /// A deliverer for all shards that it gets. `wake` tells it that something was accepted.
    pub fn new(
        store: S,
        dns: R,
        dial: D,
        addressing: Arc<dyn Addressing>,
        clock: Clock,
        settings: Arc<ArcSwap<Settings>>,
        wake: Arc<Notify>,
    ) -> Self {
        let (lease, leases) = watch::channel(None);
        let limits = settings.load().limits;
        let (endings, ends) = Endings::new(in_hand_max(limits.total));
        let shared = Shared {
            store,
            dns,
            dial,
            clock,
            metrics: Metrics::default(),
            settings,
            lease: leases,
            changed: Notify::new(),
            endings,
            sites: Mutex::new(Sites::new(limits)),
            ahead: Ahead::new(),
            addresses: Addresses::new(limits.per_hop),
            late: Late::default(),
            trouble: Mutex::default(),
            rescan: AtomicBool::new(false),
            forgive: Forgive::default(),
            stopping: watch::Sender::new(false),
        };
        Self {
            shared: Arc::new(shared),
            addressing,
            ends,
            lease,
            wake,
            rng: rand::make_rng(),
        }
    }

    /// Takes its randomness from `seed`: the same schedule each time, for tests.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.rng = SmallRng::seed_from_u64(seed);
        self
    }

    /// A look at how much it keeps in memory while it runs.
    pub fn kept(&self) -> KeptView {
        KeptView::of(&self.shared)
    }

    /// Where it counts what it does.
    pub fn metrics(&self) -> Metrics {
        self.shared.metrics.clone()
    }

    /// A way to it while it runs.
    pub fn handle(&self) -> Handle {
        Handle {
            wake: Arc::clone(&self.wake),
            forgive: self.shared.forgive.clone(),
        }
    }

    /// Delivers until `stop` says true or its sender is gone, or the store is closed. What was
    /// begun is ended first. Panics when what was done can be written down no more.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let Self {
            shared,
            addressing,
            ends,
            lease,
            wake,
            mut rng,
        } = self;
        let mut fork = || SmallRng::seed_from_u64(rng.random());
        let reporter = Reporter::new(Arc::clone(&shared), Arc::clone(&addressing));
        let here = Here::new(Arc::clone(&shared), reporter, fork());
        let (here_wake, away_wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let home = Arc::clone(&here_wake);
        let away = Away::new(Arc::clone(&shared), addressing, home, fork());
        let prompt = Recorder::new(Arc::clone(&shared), ends.prompt, Pace::Prompt, fork());
        let patient = Recorder::new(Arc::clone(&shared), ends.patient, Pace::Patient, fork());
        let (done, ended) = watch::channel(false);
        let recording = tokio::spawn(async move {
            tokio::join!(prompt.run(ended.clone()), patient.run(ended));
        });
        let recorded = async {
            let ended = recording.await;
            // Whoever cannot write down what he has done must do no more, or he does it again.
            shared.stop();
            ended
        };
        let working = async {
            tokio::join!(
                here.run(Arc::clone(&here_wake)),
                away.run(Arc::clone(&away_wake))
            );
        };
        let wakes = [&*here_wake, &*away_wake];
        let all = async {
            tokio::join!(working, care(&shared, lease, &wake, stop, &wakes));
            done.send_replace(true);
        };
        let ((), recorded) = tokio::join!(all, recorded);
        if let Err(error) = recorded
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// Keeps the lease, passes wake-ups on, and says when to stop. Afterwards nobody waits for another
/// lease.
async fn care<S: Store, R, D>(
    shared: &Shared<S, R, D>,
    lease: watch::Sender<Option<Lease>>,
    wake: &Notify,
    mut stop: watch::Receiver<bool>,
    wakes: &[&Notify],
) {
    let mut failures = 0;
    while stop.has_changed().is_ok() && !*stop.borrow() && !shared.is_stopping() {
        let renew_at = match keep(shared, &lease).await {
            Ok(held) => {
                failures = 0;
                held.expires
            }
            Err(StoreError::Closed) => break,
            Err(error) => {
                tracing::warn!(%error, "the queue has to wait for its lease");
                failures += 1;
                shared.clock.now() + patience::pause(failures) + LEASE / 2
            }
        };
        for other in wakes {
            other.notify_one();
        }
        let until =
            shared.clock.now() + renew_at.since(shared.clock.now()).saturating_sub(LEASE / 2);
        loop {
            tokio::select! {
                biased;
                changed = stop.changed() => {
                    if changed.is_err() || *stop.borrow() {
                        break;
                    }
                }
                () = wake.notified() => {
                    shared.forgive();
                    for other in wakes {
                        other.notify_one();
                    }
                }
                () = shared.clock.sleep_until(until) => break,
                () = shared.stopped() => break,
            }
        }
    }
    shared.stop();
    for other in wakes {
        other.notify_one();
    }
}

/// Takes the lease, or prolongs it: what came of attempts begun before still counts then.
async fn keep<S: Store, R, D>(
    shared: &Shared<S, R, D>,
    lease: &watch::Sender<Option<Lease>>,
) -> Result<Lease, StoreError> {
    let held = lease.borrow().clone();
    let renewed = match &held {
        Some(held) => shared.store.renew(held, LEASE).await,
        None => Err(StoreError::LeaseLost),
    };
    let kept = match renewed {
        Err(StoreError::LeaseLost) => {
            shared.rescan.store(true, Ordering::Relaxed);
            shared.store.lease(OWNER, LEASE).await?
        }
        renewed => renewed?,
    };
    let before = lease.send_replace(Some(kept.clone()));
    if before.is_none_or(|before| before.epoch != kept.epoch) {
        // What could not begin under the old one may do so now.
        shared.trouble().over();
    }
    Ok(kept)
}

/// The name that leases are taken under; a node of its own needs another one.
pub const OWNER: &str = "postrider";

#[cfg(test)]
mod tests;
