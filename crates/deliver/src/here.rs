//! What needs no network: mail for mailboxes and Maildirs of ours, and reports to senders.
//!
//! The lane is walked with a cursor, and what has to wait is left behind it: nothing keeps others
//! waiting that only waits itself. All work is done in tasks of its own, so that what comes to
//! grief takes nobody along.

use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use rand::RngExt;
use rand::rngs::SmallRng;
use store::limits::FAN_OUT_MAX;
use store::{Cursor, Destination, Due, Lane, Lease, Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::limits::{IDLE_MIN, POLL, WINDOW};
use crate::patience;
use crate::reports::Reporter;
use crate::shared::Shared;

mod mailboxes;
mod maildirs;
mod owed;
mod telling;
#[cfg(test)]
mod tests;
mod under_way;

use mailboxes::Mailboxes;
use maildirs::Maildirs;
use owed::Owed;
use under_way::UnderWay;

/// The loop of the lane that needs no network.
pub(crate) struct Here<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    leases: watch::Receiver<Option<Lease>>,
    reporter: Arc<Reporter<S, R, D>>,
    /// How far the lane has been walked.
    after: Option<Cursor>,
    /// When to walk it from its front again, for what had to wait.
    front_at: Timestamp,
    mailboxes: Mailboxes,
    maildirs: Maildirs,
    under_way: UnderWay,
    owed: Owed,
    /// Each report draws its randomness from this and from what it is about.
    seed: u64,
    /// Rounds in a row that the store has failed.
    trouble: u32,
}

/// What a round came to.
enum Round {
    /// There may be more to do at once.
    Worked,
    /// Nothing to do for so long.
    Idle(Duration),
    /// The store fails too many recipients.
    Stuck,
}

impl<S: Store, R: Send + Sync + 'static, D: Send + Sync + 'static> Here<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        reporter: Reporter<S, R, D>,
        mut rng: SmallRng,
    ) -> Self {
        let leases = shared.lease.clone();
        Self {
            shared,
            leases,
            reporter: Arc::new(reporter),
            after: None,
            front_at: Timestamp::EPOCH,
            mailboxes: Mailboxes::default(),
            maildirs: Maildirs::default(),
            under_way: UnderWay::default(),
            owed: Owed::default(),
            seed: rng.random(),
            trouble: 0,
        }
    }

    /// Works until told to stop, or the store is closed, and then until all that was begun has
    /// ended.
    pub(crate) async fn run(mut self, wake: Arc<Notify>) {
        while !self.shared.is_stopping() {
            let began = self.shared.clock.now();
            let (until, may_be_woken) = match self.round().await {
                Ok(Round::Worked) => {
                    self.trouble = 0;
                    self.look_at_maildirs().await;
                    continue;
                }
                Ok(Round::Idle(wait)) => {
                    self.trouble = 0;
                    // From before the look: what became due since then is not slept over.
                    (began + wait, true)
                }
                Ok(Round::Stuck) => (self.pause(), false),
                Err(StoreError::Closed) => {
                    self.shared.stop();
                    break;
                }
                Err(StoreError::LeaseLost) => {
                    self.another_lease().await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the queue has to wait");
                    (self.pause(), false)
                }
            };
            self.rest(until, may_be_woken, &wake).await;
            self.shared.together(began).await;
            self.look_at_maildirs().await;
        }
        self.end_maildirs().await;
    }

    /// Rests, and looks after Maildirs meanwhile.
    async fn rest(&mut self, until: Timestamp, may_be_woken: bool, wake: &Notify) {
        loop {
            let left = tokio::select! {
                biased;
                left = self.under_way.next() => left,
                () = wake.notified(), if may_be_woken => return,
                () = self.shared.late.notified(), if may_be_woken => {
                    return self.owed.look_again();
                }
                () = self.shared.clock.sleep_until(until) => return,
                () = self.shared.stopped(), if !may_be_woken => return,
            };
            self.maildir_left(left).await;
            if may_be_woken && self.front_at <= self.shared.clock.now() {
                return;
            }
        }
    }

    /// Waits until the lease has been taken anew, or it is time to stop.
    async fn another_lease(&mut self) {
        tokio::select! {
            _ = self.leases.changed() => {}
            () = self.shared.stopped() => {}
        }
    }

    /// Until when to leave the store in peace.
    fn pause(&mut self) -> Timestamp {
        self.trouble = self.trouble.saturating_add(1);
        self.shared.clock.now() + patience::pause(self.trouble)
    }

    /// Takes one window of what is due and brings it further, mailboxes first.
    async fn round(&mut self) -> Result<Round, StoreError> {
        let began = self.shared.clock.now();
        let Some(lease) = self.leases.borrow_and_update().clone() else {
            return Ok(Round::Idle(POLL));
        };
        if began >= self.front_at {
            self.after = None;
            self.front_at = began + POLL;
        }
        let store = &self.shared.store;
        let page = store.due(&lease, Lane::Here, self.after, WINDOW).await?;
        let later = page.later;
        let full = page.due.len() >= WINDOW;
        let further = page.next != self.after;
        self.after = page.next;
        let delivered = self.take(&lease, page.due).await?;
        self.begin_maildirs().await;
        let reported = self.report(&lease).await?;
        if self.owed.has_room_again() {
            self.front_at = began;
        }
        if self.mailboxes.patience.is_full() {
            return Ok(Round::Stuck);
        }
        if delivered || reported || (full && further) {
            return Ok(Round::Worked);
        }
        if full {
            // The same page tells more only when its moment is over.
            return Ok(Round::Idle(IDLE_MIN));
        }
        Ok(self.idle(later, began))
    }

    /// From `began`, so that what becomes due meanwhile is not slept over.
    fn idle(&mut self, later: Option<Timestamp>, began: Timestamp) -> Round {
        let now = self.shared.clock.now();
        if let Some(patient) = self.mailboxes.patience.next(now) {
            self.front_at = self.front_at.min(now + patient);
        }
        let waits = [
            later.map(|at| at.since(began)),
            self.owed.next().map(|at| at.since(began)),
            Some(self.front_at.since(began)),
        ];
        let wait = waits.into_iter().flatten().min().unwrap_or(POLL);
        Round::Idle(wait.clamp(IDLE_MIN, POLL))
    }

    /// Sorts what is due, and brings mail into mailboxes. True when there was some.
    async fn take(&mut self, lease: &Lease, due: Vec<Due>) -> Result<bool, StoreError> {
        let mut mailboxes = Vec::new();
        for due in due {
            match (due.owed, due.destination, &due.maildir) {
                (true, ..) => self.owed.add(&due),
                (false, _, Some(_)) => self.offer_to_maildir(due).await,
                (false, Destination::Account(account), None) => mailboxes.push((due, account)),
                // Its lane is another one.
                (false, Destination::Remote, None) => {}
            }
        }
        let parts = self
            .mailboxes
            .parts(mailboxes, FAN_OUT_MAX, self.shared.clock.now());
        let any = !parts.is_empty();
        for part in parts {
            self.deliver(lease, part).await?;
        }
        Ok(any)
    }
}
