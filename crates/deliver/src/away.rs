//! Mail for other servers: takes it out of the queue as there is room, and hires workers for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mailtypes::Timestamp;
use net::Dial;
use net::dns::Dns;
use rand::RngExt;
use rand::rngs::SmallRng;
use store::{Cursor, Lane, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use crate::limits::{IDLE_MIN, POLL, ROUND_EVERY};
use crate::outcome::Ending;
use crate::patience;
use crate::remote::job::Job;
use crate::remote::trail::Trail;
use crate::remote::visit::{Bag, Visit};
use crate::route::next_hop::NextHop;
use crate::shared::Shared;
use crate::suspects::Suspects;

mod taking;

/// The one who hires workers.
pub(crate) struct Away<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    workers: JoinSet<()>,
    hired: std::collections::HashMap<Id, Hired>,
    /// How far the lanes of the queue have been gone through.
    fresh: Option<Cursor>,
    again: Option<Cursor>,
    suspects: Suspects,
    rng: SmallRng,
    trouble: u32,
}

/// One worker at work.
struct Hired {
    hop: NextHop,
    retry: bool,
    watched: bool,
    bag: Arc<Bag>,
}

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    pub(crate) fn new(shared: Arc<Shared<S, R, D>>, rng: SmallRng) -> Self {
        Self {
            shared,
            workers: JoinSet::new(),
            hired: std::collections::HashMap::new(),
            fresh: None,
            again: None,
            suspects: Suspects::default(),
            rng,
            trouble: 0,
        }
    }

    /// Works until told to stop, and then until all workers have gone.
    pub(crate) async fn run(mut self, wake: Arc<Notify>) {
        while !self.shared.is_stopping() {
            let began = self.shared.clock.now();
            let wait = match self.round().await {
                Ok(wait) => {
                    self.trouble = 0;
                    wait
                }
                Err(StoreError::Closed) => {
                    self.shared.stop();
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "mail for other servers has to wait");
                    self.trouble = self.trouble.saturating_add(1);
                    patience::pause(self.trouble)
                }
            };
            self.rest(began + wait, &wake).await;
            // What comes close together is looked at together. Not by the clock: one that stands
            // still would hold up everything.
            let early = (began + ROUND_EVERY).since(self.shared.clock.now());
            tokio::time::sleep(early).await;
        }
        self.shared.calls.notify_waiters();
        while let Some(left) = self.workers.join_next_with_id().await {
            self.left(left).await;
        }
    }

    /// Waits for something to do.
    async fn rest(&mut self, until: Timestamp, wake: &Notify) {
        let left = tokio::select! {
            biased;
            Some(left) = self.workers.join_next_with_id() => Some(left),
            () = wake.notified() => None,
            () = self.shared.changed.notified() => None,
            () = self.shared.clock.sleep_until(until) => None,
        };
        if let Some(left) = left {
            self.left(left).await;
        }
        while let Some(left) = self.workers.try_join_next_with_id() {
            self.left(left).await;
        }
    }

    /// Takes what there is room for and hires whom it needs; answers how long it may rest.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        let began = self.shared.clock.now();
        let Some(lease) = self.shared.lease.borrow().clone() else {
            return Ok(POLL);
        };
        if self.shared.rescan.swap(false, Ordering::Relaxed) {
            (self.fresh, self.again) = (None, None);
        }
        let limits = self.shared.settings.load().limits;
        self.shared.sites().set_limits(limits);
        self.refill(&lease).await?;
        let fresh = self.walk(&lease, Lane::Fresh).await?;
        let again = self.walk(&lease, Lane::Again).await?;
        self.hire();
        self.hire_for_suspects();
        if let Some(soon) = [fresh, again].into_iter().flatten().min() {
            return Ok(soon);
        }
        // From `began`, so that what becomes due meanwhile is not slept over.
        let next = self.shared.store.next_due(&lease, began).await?;
        let next = next.map_or(POLL, |at| at.since(began));
        let next = next.min(self.suspects.next(began));
        Ok(next.clamp(IDLE_MIN, POLL))
    }

    fn hire(&mut self) {
        loop {
            let Some((hop, retry)) = self.shared.sites().hire() else {
                return;
            };
            let bag = Arc::new(Bag::default());
            let visit = self.visit(&hop, &bag);
            self.spawn(visit.run(), hop, retry, false, bag);
        }
    }

    fn hire_for_suspects(&mut self) {
        let now = self.shared.clock.now();
        while let Some((due, hop, reason)) = self.suspects.take(now) {
            let bag = Arc::new(Bag::of(vec![Job::new(due, reason)]));
            let visit = self.visit(&hop, &bag);
            self.spawn(visit.run_watched(), hop, false, true, bag);
        }
    }

    fn visit(&mut self, hop: &NextHop, bag: &Arc<Bag>) -> Visit<S, R, D> {
        let seed = self.rng.random();
        Visit::new(Arc::clone(&self.shared), hop.clone(), Arc::clone(bag), seed)
    }

    fn spawn(
        &mut self,
        work: impl Future<Output = ()> + Send + 'static,
        hop: NextHop,
        retry: bool,
        watched: bool,
        bag: Arc<Bag>,
    ) {
        let id = self.workers.spawn(work).id();
        let hired = Hired {
            hop,
            retry,
            watched,
            bag,
        };
        self.hired.insert(id, hired);
    }

    /// A worker has gone: well, or in the middle of a job, which is then to blame.
    async fn left(&mut self, left: Result<(Id, ()), JoinError>) {
        let (id, panic) = match left {
            Ok((id, ())) => (id, None),
            Err(error) => (error.id(), Some(error)),
        };
        let Some(hired) = self.hired.remove(&id) else {
            return;
        };
        if hired.watched {
            self.suspects.done();
        } else {
            self.shared.sites().leave(&hired.hop, hired.retry);
        }
        let (current, rest) = hired.bag.empty();
        self.shared.let_go(rest.iter());
        if let Some(error) = panic {
            for due in current {
                tracing::error!(item = %due.item, to = %due.address, %error, "a delivery came to grief");
                let trail =
                    Trail::new(hired.hop.to_string(), "the worker came to grief".to_owned());
                self.shared.tell(due, Ending::Crashed, &trail).await;
            }
        }
    }
}
