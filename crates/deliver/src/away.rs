//! Mail for other servers: takes it out of the queue as there is room, and hires workers for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mailtypes::Timestamp;
use net::Dial;
use net::dns::Dns;
use rand::RngExt;
use rand::rngs::SmallRng;
use store::{Addressing, Cursor, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use crate::limits::{IDLE_MIN, POLL};
use crate::outcome::Ending;
use crate::patience::Trouble;
use crate::remote::bag::Bag;
use crate::remote::job::Job;
use crate::remote::trail::Trail;
use crate::remote::visit::Visit;
use crate::route::next_hop::NextHop;
use crate::shared::Shared;
use crate::sites::WorkerId;
use crate::sites::age::{Age, ByAge};
use crate::suspects::Suspects;

mod ours;
mod taking;
mod waiting;

/// The one who hires workers.
pub(crate) struct Away<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    /// Knows what addresses of ours mean.
    addressing: Arc<dyn Addressing>,
    /// Wakes the one who brings mail to mailboxes.
    here: Arc<Notify>,
    workers: JoinSet<()>,
    hired: std::collections::HashMap<Id, Hired>,
    /// How far the lanes of the queue have been gone through.
    places: ByAge<Option<Cursor>>,
    suspects: Suspects,
    rng: SmallRng,
    /// The queue could not be looked at.
    trouble: Trouble,
}

/// One worker at work.
struct Hired {
    hop: NextHop,
    /// `None`: it is watched.
    id: Option<WorkerId>,
    bag: Arc<Bag>,
}

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        addressing: Arc<dyn Addressing>,
        here: Arc<Notify>,
        rng: SmallRng,
    ) -> Self {
        Self {
            shared,
            addressing,
            here,
            workers: JoinSet::new(),
            hired: std::collections::HashMap::new(),
            places: ByAge::default(),
            suspects: Suspects::default(),
            rng,
            trouble: Trouble::default(),
        }
    }

    /// Works until told to stop, and then until all workers have gone.
    pub(crate) async fn run(mut self, wake: Arc<Notify>) {
        while !self.shared.is_stopping() {
            let began = self.shared.clock.now();
            let wait = match self.pause(began) {
                Some(wait) => wait,
                None => match self.round().await {
                    Ok(wait) => {
                        self.trouble.over();
                        wait
                    }
                    Err(StoreError::Closed) => {
                        self.shared.stop();
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "mail for other servers has to wait");
                        self.trouble.failed(began);
                        continue;
                    }
                },
            };
            self.rest(began + wait, &wake).await;
            self.shared.together(began).await;
        }
        while let Some(left) = self.workers.join_next_with_id().await {
            self.left(left).await;
        }
        self.give_up_begun().await;
    }

    /// How long nothing can be begun, because our own store fails. Nobody wakes us before.
    fn pause(&self, now: Timestamp) -> Option<Duration> {
        let others = self.shared.trouble().wait(now);
        self.trouble.wait(now).max(others)
    }

    /// Waits for something to do.
    async fn rest(&mut self, until: Timestamp, wake: &Notify) {
        let left = tokio::select! {
            biased;
            Some(left) = self.workers.join_next_with_id() => Some(left),
            () = wake.notified() => None,
            () = self.shared.changed.notified() => None,
            () = self.shared.addresses.bell() => None,
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
            self.places = ByAge::default();
        }
        let limits = self.shared.settings.load().limits;
        self.shared.sites().set_limits(limits);
        self.shared.addresses.set_max(limits.per_hop);
        self.call_next(began);
        self.clear_lines(began).await;
        let mut soon = None;
        for age in Age::ALL {
            let more = self.refill(&lease, age).await?;
            let walked = self.walk(&lease, age, began).await?;
            soon = [soon, more, walked].into_iter().flatten().min();
        }
        self.hire();
        self.hire_for_suspects();
        let line = self.shared.sites().line_ends();
        let line = line.map_or(POLL, |at| at.since(began));
        let others = self.suspects.next(began).min(line).max(IDLE_MIN);
        Ok(soon.unwrap_or(POLL).min(others).min(POLL))
    }

    fn hire(&mut self) {
        while self.may_begin() {
            let Some((id, hop)) = self.shared.sites().hire() else {
                return;
            };
            self.shared.trouble().tries(true);
            let bag = Arc::new(Bag::default());
            let visit = self.visit(&hop, Some(id), &bag);
            self.spawn(visit.run(id), hop, Some(id), bag);
        }
    }

    fn may_begin(&self) -> bool {
        let now = self.shared.clock.now();
        let lease = self.shared.lease.borrow();
        // Whoever takes the next lease wakes us.
        let is_leased = lease.as_ref().is_some_and(|lease| now < lease.expires);
        is_leased && self.shared.trouble().may_begin(now)
    }

    fn hire_for_suspects(&mut self) {
        let now = self.shared.clock.now();
        while self.may_begin() {
            let Some((due, hop, reason)) = self.suspects.take(now) else {
                return;
            };
            self.shared.trouble().tries(true);
            let bag = Arc::new(Bag::of(vec![Job::new(due, reason)]));
            let visit = self.visit(&hop, None, &bag);
            self.spawn(visit.run_watched(), hop, None, bag);
        }
    }

    fn visit(&mut self, hop: &NextHop, id: Option<WorkerId>, bag: &Arc<Bag>) -> Visit<S, R, D> {
        let seed = self.rng.random();
        let shared = Arc::clone(&self.shared);
        Visit::new(shared, hop.clone(), id, Arc::clone(bag), seed)
    }

    fn spawn(
        &mut self,
        work: impl Future<Output = ()> + Send + 'static,
        hop: NextHop,
        id: Option<WorkerId>,
        bag: Arc<Bag>,
    ) {
        let task = self.workers.spawn(work).id();
        self.hired.insert(task, Hired { hop, id, bag });
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
        match hired.id {
            Some(id) => {
                let kept = self.shared.sites().leave(id);
                if let Some(ip) = kept {
                    self.shared.addresses.leave_line(ip, &hired.hop);
                }
            }
            None => self.suspects.done(),
        }
        self.shared.trouble().tries(false);
        let (current, rest) = hired.bag.empty();
        if !rest.is_empty() {
            self.shared.let_go(rest.iter());
        }
        if let Some(error) = panic {
            for due in current {
                tracing::error!(item = %due.item, to = %due.address, %error, "a delivery came to grief");
                let trail =
                    Trail::new(hired.hop.to_string(), "the worker came to grief".to_owned());
                self.shared.tell(due, Ending::Crashed, &trail).await;
            }
        } else if !current.is_empty() {
            self.shared.let_go(current.iter());
        }
    }
}
