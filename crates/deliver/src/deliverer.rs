//! The loop that empties the queue.

use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use net::Clock;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use store::limits::FAN_OUT_MAX;
use store::{AccountId, Attempt, Due, Lease, Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::limits::{IDLE_MIN, LEASE, POLL, WINDOW};
use crate::local::{self, Next};
use crate::patience::{self, Patience};
use crate::route::{Route, route};
use crate::{fate, remote, schedule};

/// Brings what lies in the queue to where it shall be.
///
/// Memory holds a window of due recipients; the rest of the queue costs disk only.
pub struct Deliverer<S> {
    store: S,
    clock: Clock,
    wake: Arc<Notify>,
    rng: SmallRng,
    lease: Option<Lease>,
    patience: Patience,
    /// Rounds in a row that the store has failed.
    trouble: u32,
}

impl<S: Store> Deliverer<S> {
    /// A deliverer for all shards that it gets. `wake` tells it that something was accepted.
    pub fn new(store: S, clock: Clock, wake: Arc<Notify>) -> Self {
        Self {
            store,
            clock,
            wake,
            rng: rand::make_rng(),
            lease: None,
            patience: Patience::default(),
            trouble: 0,
        }
    }

    /// Takes its randomness from `seed`: the same schedule each time, for tests.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.rng = SmallRng::seed_from_u64(seed);
        self
    }

    /// Delivers until `stop` says true or its sender is gone, or the store is closed. What was
    /// begun is ended first.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while stop.has_changed().is_ok() && !*stop.borrow() {
            let began = self.clock.now();
            let (until, may_be_woken) = match self.round().await {
                Ok(Round::Worked) => {
                    self.trouble = 0;
                    continue;
                }
                Ok(Round::Idle(wait)) => {
                    self.trouble = 0;
                    // From before the look: what became due since then is not slept over.
                    (began + wait, true)
                }
                Ok(Round::Stuck) => (self.pause(), false),
                Err(StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the queue has to wait");
                    self.lease = self.lease.take().filter(|_| error != StoreError::LeaseLost);
                    (self.pause(), false)
                }
            };
            tokio::select! {
                biased;
                _ = stop.changed() => {}
                () = self.wake.notified(), if may_be_woken => {}
                () = self.clock.sleep_until(until) => {}
            }
        }
    }

    /// Until when to leave the store in peace.
    fn pause(&mut self) -> Timestamp {
        self.trouble = self.trouble.saturating_add(1);
        self.clock.now() + patience::pause(self.trouble)
    }

    /// Takes one window of due recipients and brings each one step further.
    async fn round(&mut self) -> Result<Round, StoreError> {
        let lease = self.lease().await?;
        let mut due = self.store.due(&lease, WINDOW + self.patience.len()).await?;
        self.patience.sift(&mut due, self.clock.now());
        if due.is_empty() {
            return self.idle(&lease).await;
        }
        self.work(&lease, &due).await?;
        Ok(if self.patience.is_full() {
            Round::Stuck
        } else {
            Round::Worked
        })
    }

    async fn lease(&mut self) -> Result<Lease, StoreError> {
        let now = self.clock.now();
        if let Some(lease) = &self.lease
            && lease.expires.since(now) > LEASE / 2
        {
            return Ok(lease.clone());
        }
        // What came of attempts begun before still counts under a renewed lease.
        let renewed = match &self.lease {
            Some(held) => self.store.renew(held, LEASE).await,
            None => Err(StoreError::LeaseLost),
        };
        let lease = match renewed {
            Err(StoreError::LeaseLost) => self.store.lease(OWNER, LEASE).await?,
            renewed => renewed?,
        };
        self.lease = Some(lease.clone());
        Ok(lease)
    }

    async fn idle(&self, lease: &Lease) -> Result<Round, StoreError> {
        let wait = match self.patience.next(self.clock.now()) {
            // Those in memory are due in the store: its answer would be "now".
            Some(wait) => wait,
            None => self.store.next_due(lease).await?.unwrap_or(POLL),
        };
        Ok(Round::Idle(wait.clamp(IDLE_MIN, POLL)))
    }

    async fn work(&mut self, lease: &Lease, due: &[Due]) -> Result<(), StoreError> {
        let mut here = Vec::new();
        let mut attempts = Vec::new();
        for due in due {
            match route(due) {
                Route::Mailbox(account) => here.push((due, account)),
                // Here the ways to other servers begin: grouped by host, each with its permit.
                Route::Remote(host) => {
                    attempts.push((due, remote::attempt(due, host, self.again(due))));
                }
            }
        }
        for part in here.chunks(FAN_OUT_MAX) {
            self.deliver(lease, part, &mut attempts).await?;
        }
        self.record(lease, attempts).await
    }

    /// Puts messages into mailboxes; what must be recorded joins `attempts`.
    async fn deliver<'a>(
        &mut self,
        lease: &Lease,
        part: &[(&'a Due, AccountId)],
        attempts: &mut Vec<(&'a Due, Attempt)>,
    ) -> Result<(), StoreError> {
        let deliveries = part
            .iter()
            .map(|(due, account)| local::delivery(due, *account))
            .collect();
        let outcomes = self.store.deliver_local(lease, deliveries).await?;
        let now = self.clock.now();
        for ((due, account), outcome) in part.iter().zip(outcomes) {
            let failures = self.patience.failures(due) + 1;
            match local::judge(outcome, failures, self.again(due)) {
                Next::Delivered { uid } => {
                    self.patience.done(due);
                    fate::delivered(due, *account, uid, now);
                }
                // Should it still be due next time, it must not be asked for without end.
                Next::Nothing | Next::Again => self.patience.failed(due, now),
                Next::Record(outcome) => attempts.push((due, local::attempt(due, outcome))),
            }
        }
        Ok(())
    }

    async fn record(
        &mut self,
        lease: &Lease,
        attempts: Vec<(&Due, Attempt)>,
    ) -> Result<(), StoreError> {
        if attempts.is_empty() {
            return Ok(());
        }
        let (due, attempts): (Vec<_>, Vec<_>) = attempts.into_iter().unzip();
        let outcomes: Vec<_> = attempts
            .iter()
            .map(|attempt| attempt.outcome.clone())
            .collect();
        self.store.record(lease, attempts).await?;
        for (due, outcome) in due.into_iter().zip(&outcomes) {
            self.patience.done(due);
            fate::recorded(due, outcome);
        }
        Ok(())
    }

    fn again(&mut self, due: &Due) -> Timestamp {
        self.clock.now() + schedule::pause_after(due.attempts, &mut self.rng)
    }
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

/// The name that leases are taken under; a node of its own needs another one.
const OWNER: &str = "postrider";

#[cfg(test)]
mod tests;
