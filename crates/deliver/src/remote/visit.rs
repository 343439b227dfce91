//! One worker at one next hop: it takes jobs as long as there are some, and keeps its connection
//! for the next ones a while.

use std::sync::Arc;

use net::Dial;
use net::dns::Dns;
use store::Store;

use super::bag::{Bag, Watch};
use super::handover::Handover;
use crate::limits::{JOBS_AT_ONCE, STAND_BY};
use crate::route::next_hop::NextHop;
use crate::shared::Shared;
use crate::sites::WorkerId;

/// A worker at one next hop.
pub(crate) struct Visit<S, R, D: Dial> {
    shared: Arc<Shared<S, R, D>>,
    bag: Arc<Bag>,
    handover: Handover<S, R, D>,
}

impl<S: Store, R: Dns, D: Dial> Visit<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        hop: NextHop,
        id: Option<WorkerId>,
        bag: Arc<Bag>,
        seed: u64,
    ) -> Self {
        let handover = Handover::new(Arc::clone(&shared), hop, id, Arc::clone(&bag), seed);
        Self {
            shared,
            bag,
            handover,
        }
    }

    /// Works until there is nothing more to do here, or nothing can be done.
    pub(crate) async fn run(mut self, id: WorkerId) {
        while self.fill(id).await {
            if !self.handover.work(Watch::No).await {
                break;
            }
        }
        self.handover.quit().await;
    }

    /// Works on what is in the bag, and on nothing else.
    pub(crate) async fn run_watched(mut self) {
        self.handover.work(Watch::Yes).await;
        self.handover.quit().await;
    }

    /// Takes jobs; stands by for a while when there are none. False when it is time to go.
    async fn fill(&mut self, id: WorkerId) -> bool {
        if self.handover.has_had_its_turn() {
            return false;
        }
        if self.take(id) {
            return true;
        }
        let may_stay = self.handover.is_connected() && !self.handover.is_wanted();
        if !may_stay || self.shared.is_stopping() {
            return false;
        }
        let Some(bell) = self.shared.sites().stand_by(id, true) else {
            return false;
        };
        let shared = Arc::clone(&self.shared);
        let until = shared.clock.now() + STAND_BY;
        let filled = loop {
            if self.take(id) {
                break true;
            }
            // A stroke between the look and here is kept.
            tokio::select! {
                biased;
                () = bell.notified() => {}
                () = shared.stopped() => break false,
                () = self.handover.disturbed() => break false,
                () = shared.clock.sleep_until(until) => break false,
            }
        };
        self.shared.sites().stand_by(id, false);
        // What counted on this one may need another.
        self.shared.changed.notify_one();
        filled
    }

    fn take(&mut self, id: WorkerId) -> bool {
        if self.shared.is_stopping() {
            return false;
        }
        let jobs = self.shared.sites().take(id, JOBS_AT_ONCE);
        let any = !jobs.is_empty();
        self.bag.put(jobs);
        any
    }
}
