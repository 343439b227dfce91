//! What the deliverer and its workers have in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use mailtypes::{ItemId, Status, Timestamp};
use net::Clock;
use store::{Begun, Due, Lease, Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::endings::Endings;
use crate::forgive::{Forgive, Whom};
use crate::late::Late;
use crate::limits::{DOWN_FIRST, DOWN_MAX, ROUND_EVERY};
use crate::metrics::Metrics;
use crate::outcome::{Ending, Told};
use crate::patience::Trouble;
use crate::remote::job::Job;
use crate::remote::trail::Trail;
use crate::remote::{Addresses, Ahead, Source};
use crate::route::next_hop::NextHop;
use crate::settings::Settings;
use crate::sites::{Failed, Sites, WorkerId};

/// What all parts of a deliverer have in common.
pub(crate) struct Shared<S, R, D> {
    pub(crate) store: S,
    pub(crate) dns: R,
    pub(crate) dial: D,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    pub(crate) lease: watch::Receiver<Option<Lease>>,
    /// Wakes the one who hires workers.
    pub(crate) changed: Notify,
    pub(crate) endings: Endings,
    pub(crate) sites: Mutex<Sites>,
    pub(crate) ahead: Ahead,
    pub(crate) addresses: Addresses,
    /// Whom the senders of late messages are to be told about, and who waits to tell them.
    pub(crate) late: Late,
    /// Attempts cannot begin, because the store cannot write that down.
    pub(crate) trouble: Mutex<Trouble>,
    /// Something fell out of hand without being recorded: the queue is gone through anew.
    pub(crate) rescan: AtomicBool,
    /// Next hops that could not be reached may be tried at once.
    pub(crate) forgive: Forgive,
    pub(crate) stopping: watch::Sender<bool>,
}

impl<S, R, D> Shared<S, R, D> {
    pub(crate) fn sites(&self) -> MutexGuard<'_, Sites> {
        // Each change is complete before anything can panic.
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Tells all parts to stop.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
        self.changed.notify_one();
    }

    /// Returns when it is time to stop.
    pub(crate) async fn stopped(&self) {
        // The sender is ours.
        let _ = self.stopping.subscribe().wait_for(|stop| *stop).await;
    }

    /// Rests so long after a round that what comes close together is looked at together. Not by the
    /// clock: one that stands still would hold up everything.
    pub(crate) async fn together(&self, began: Timestamp) {
        let early = (began + ROUND_EVERY).since(self.clock.now());
        tokio::time::sleep(early).await;
    }

    /// Recipients go back to the queue as they are.
    pub(crate) fn let_go<'a>(&self, recipients: impl Iterator<Item = &'a Due>) {
        self.sites().give_back(recipients);
        self.rescan.store(true, Ordering::Relaxed);
        self.released();
    }

    /// Recipients have been dealt with.
    pub(crate) fn done_with<'a>(&self, recipients: impl Iterator<Item = &'a Due>) {
        if self.sites().release(recipients) {
            self.rescan.store(true, Ordering::Relaxed);
        }
        self.released();
    }

    fn released(&self) {
        self.changed.notify_one();
        if self.late.is_waiting() {
            self.late.notify();
        }
    }

    /// An attempt has ended. Waits when too many outcomes wait to be recorded, unless it is patient
    /// (`endings.rs`).
    pub(crate) async fn tell(&self, due: Due, ending: Ending, trail: &Trail) {
        trail.traced.ended(&ending);
        let told = Told {
            began: trail.began,
            trail: Some(trail.write(&due.address)),
            ..self.told(due, ending)
        };
        self.send(told).await;
    }

    /// The same for what needs no network: `detail` says by which way.
    pub(crate) async fn tell_here(&self, due: Due, ending: Ending, detail: &str) {
        let told = Told {
            detail: detail.to_owned(),
            ..self.told(due, ending)
        };
        self.send(told).await;
    }

    /// Nobody was asked about these, so there is nothing to tell but why, and until when.
    pub(crate) async fn postpone(
        &self,
        recipients: impl IntoIterator<Item = Due>,
        status: &Status,
        until: Timestamp,
    ) {
        for due in recipients {
            let ending = Ending::Untried(status.clone(), until);
            self.send(self.told(due, ending)).await;
        }
    }

    fn told(&self, due: Due, ending: Ending) -> Told {
        Told {
            due,
            began: None,
            at: self.clock.now(),
            ending,
            detail: String::new(),
            trail: None,
        }
    }

    async fn send(&self, told: Told) {
        if let Err(unsent) = self.endings.send(told).await {
            // Nobody records any more: what is done now would be done again after the next start.
            self.stop();
            self.let_go(std::iter::once(&unsent.0.due));
        }
    }

    /// The same for several.
    pub(crate) async fn tell_all(&self, recipients: &[Due], ending: &Ending, trail: &Trail) {
        for due in recipients {
            self.tell(due.clone(), ending.clone(), trail).await;
        }
    }

    pub(crate) fn put_back(&self, hop: &NextHop, job: Job) {
        self.sites().put_back(hop, job);
        self.changed.notify_one();
    }

    /// Somebody was reached at a next hop.
    pub(crate) fn site_reached(&self, hop: &NextHop, id: Option<WorkerId>) {
        if self.sites().reached(hop, id) {
            self.changed.notify_one();
        }
    }

    /// Lets next hops be tried at once, as somebody has ordered.
    pub(crate) fn forgive(&self) {
        let settings = self.settings.load();
        let now = self.clock.now();
        match self.forgive.take() {
            Whom::Nobody => {}
            Whom::All => self.sites().forgive(now, |_| true),
            Whom::Hosts(hosts) => {
                let hops: BTreeSet<_> = hosts
                    .iter()
                    .filter_map(|host| settings.routes.way(host, &settings.own).hop)
                    .collect();
                self.sites().forgive(now, |hop| hops.contains(hop));
            }
        }
    }

    /// A message was handed over there.
    pub(crate) fn handed_over(&self, hop: &NextHop) {
        if self.sites().handed_over(hop) {
            self.changed.notify_one();
        }
    }

    /// Nobody was reached at a next hop by one that began to try at `began`.
    pub(crate) fn site_failed(
        &self,
        hop: &NextHop,
        id: Option<WorkerId>,
        status: &Status,
        began: Timestamp,
    ) -> Failed {
        let now = self.clock.now();
        // A message that failed is not due again before its next hop may be tried again.
        let schedule = self.settings.load().schedule;
        let first = DOWN_FIRST.min(schedule.first / 2);
        let longest = DOWN_MAX.min(schedule.longest);
        self.sites()
            .failed(hop, id, status, (began, now), |failures| {
                now + first.saturating_mul(1 << failures.min(16)).min(longest)
            })
    }
}

impl<S: Store, R, D> Shared<S, R, D> {
    /// Marks recipients as in hand before anything is tried that cannot be taken back; `None` when
    /// that cannot be done: then nobody begins anything for a while.
    pub(crate) async fn begin(
        &self,
        marks: Vec<(ItemId, u32)>,
        watched: bool,
    ) -> Option<Vec<Begun>> {
        loop {
            let lease = self.lease.borrow().clone();
            let begun = match &lease {
                Some(lease) => self.store.begin(lease, marks.clone(), watched).await,
                None => Err(StoreError::LeaseLost),
            };
            match begun {
                Ok(begun) => {
                    if self.trouble().over() {
                        self.changed.notify_one();
                    }
                    return Some(begun);
                }
                Err(StoreError::Closed) => self.stop(),
                // There is another one meanwhile.
                Err(StoreError::LeaseLost) if lease != *self.lease.borrow() => continue,
                Err(error) => {
                    if self.trouble().failed(self.clock.now()) {
                        tracing::warn!(%error, "deliveries cannot begin: mail for other servers has to wait");
                    }
                }
            }
            return None;
        }
    }

    /// Opens the messages of jobs, in order; `None` where the queue has it no more.
    pub(crate) async fn open(&self, jobs: &[Job]) -> Vec<Option<Source>> {
        self.ahead.open(&self.store, jobs).await
    }
}
