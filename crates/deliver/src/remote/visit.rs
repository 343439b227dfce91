//! One worker at one next hop: it takes jobs as long as there are some, and keeps its connection
//! for the next ones a while.

use std::sync::{Arc, Mutex, PoisonError};

use net::Dial;
use net::dns::Dns;
use store::{Due, Store};

use super::handover::Handover;
use super::job::Job;
use crate::limits::{JOBS_AT_ONCE, STAND_BY};
use crate::route::next_hop::NextHop;
use crate::shared::Shared;

/// A worker at one next hop.
pub(crate) struct Visit<S, R, D: Dial> {
    shared: Arc<Shared<S, R, D>>,
    hop: NextHop,
    bag: Arc<Bag>,
    handover: Handover<S, R, D>,
}

/// What a worker has taken and not told the end of: somebody else must know, should it panic.
#[derive(Debug, Default)]
pub(crate) struct Bag(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    current: Vec<Due>,
    rest: Vec<Job>,
}

impl Bag {
    pub(crate) fn of(jobs: Vec<Job>) -> Self {
        Self(Mutex::new(Inside {
            current: Vec::new(),
            rest: jobs,
        }))
    }

    /// The next job; what it is made of counts as current.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut inside = self.lock();
        let job = (!inside.rest.is_empty()).then(|| inside.rest.remove(0));
        inside.current = job
            .as_ref()
            .map_or_else(Vec::new, |job| job.recipients.clone());
        job
    }

    /// What was being worked on, and what had not been begun.
    pub(crate) fn empty(&self) -> (Vec<Due>, Vec<Due>) {
        let inside = std::mem::take(&mut *self.lock());
        let rest = inside.rest.into_iter().flat_map(|job| job.recipients);
        (inside.current, rest.collect())
    }

    /// Keeps of the jobs what `keep` says.
    pub(crate) fn retain(&self, keep: impl Fn(&Due) -> bool) {
        let mut inside = self.lock();
        for job in &mut inside.rest {
            job.recipients.retain(&keep);
        }
        inside.rest.retain(|job| !job.recipients.is_empty());
    }

    /// The jobs that wait.
    pub(crate) fn peek(&self) -> Vec<Job> {
        self.lock().rest.clone()
    }

    fn put(&self, jobs: Vec<Job>) {
        self.lock().rest = jobs;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Store, R: Dns, D: Dial> Visit<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        hop: NextHop,
        bag: Arc<Bag>,
        seed: u64,
    ) -> Self {
        let handover = Handover::new(Arc::clone(&shared), hop.clone(), Arc::clone(&bag), seed);
        Self {
            shared,
            hop,
            bag,
            handover,
        }
    }

    /// Works until there is nothing more to do here.
    pub(crate) async fn run(mut self) {
        while self.fill().await {
            self.handover.work(Watch::No).await;
        }
        self.handover.quit().await;
    }

    /// Works on what is in the bag, and on nothing else.
    pub(crate) async fn run_watched(mut self) {
        self.handover.work(Watch::Yes).await;
        self.handover.quit().await;
    }

    /// Takes jobs; stands by for a while when there are none. False when it is time to go.
    async fn fill(&mut self) -> bool {
        if self.take() {
            return true;
        }
        if !self.handover.is_connected() || self.shared.is_stopping() {
            return false;
        }
        self.shared.sites().stand_by(&self.hop, true);
        let until = self.shared.clock.now() + STAND_BY;
        let filled = loop {
            let shared = Arc::clone(&self.shared);
            let call = shared.calls.notified();
            tokio::pin!(call);
            call.as_mut().enable();
            if self.take() {
                break true;
            }
            tokio::select! {
                biased;
                () = call => {}
                () = self.handover.disturbed() => break false,
                () = self.shared.clock.sleep_until(until) => break false,
            }
            if self.shared.is_stopping() {
                break false;
            }
        };
        self.shared.sites().stand_by(&self.hop, false);
        filled
    }

    fn take(&mut self) -> bool {
        if self.shared.is_stopping() {
            return false;
        }
        let jobs = self.shared.sites().take(&self.hop, JOBS_AT_ONCE);
        let any = !jobs.is_empty();
        self.bag.put(jobs);
        any
    }
}

/// Whether a job is watched: should the process die, this job is blamed for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Yes,
    No,
}
