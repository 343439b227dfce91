//! What needs no network: mail for mailboxes and Maildirs of ours, and reports to senders.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::{ItemId, Timestamp};
use rand::rngs::SmallRng;
use store::limits::FAN_OUT_MAX;
use store::{AccountId, Destination, Due, Lane, Lease, Outcome, ReportKind, Store, StoreError};
use tokio::sync::{Notify, watch};

use crate::fate;
use crate::limits::{IDLE_MIN, POLL, WINDOW};
use crate::local::{self, Next};
use crate::outcome::{Ending, Told};
use crate::patience::{self, Patience};
use crate::reports::Reporter;
use crate::shared::Shared;

/// The loop of the lane that needs no network.
pub(crate) struct Here<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    reporter: Reporter<S, R, D>,
    leases: watch::Receiver<Option<Lease>>,
    rng: SmallRng,
    patience: Patience,
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

impl<S: Store, R, D> Here<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        reporter: Reporter<S, R, D>,
        rng: SmallRng,
    ) -> Self {
        let leases = shared.lease.clone();
        Self {
            shared,
            reporter,
            leases,
            rng,
            patience: Patience::default(),
            trouble: 0,
        }
    }

    /// Works until told to stop, or the store is closed.
    pub(crate) async fn run(mut self, wake: Arc<Notify>) {
        while !self.shared.is_stopping() {
            let began = self.shared.clock.now();
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
                Err(StoreError::Closed) => return self.shared.stop(),
                Err(StoreError::LeaseLost) => {
                    self.another_lease().await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the queue has to wait");
                    (self.pause(), false)
                }
            };
            tokio::select! {
                biased;
                () = wake.notified(), if may_be_woken => {}
                () = self.shared.late.notified(), if may_be_woken => {}
                () = self.shared.clock.sleep_until(until) => {}
                () = self.shared.stopped(), if !may_be_woken => {}
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

    /// Takes one window of what is due and brings each one step further.
    async fn round(&mut self) -> Result<Round, StoreError> {
        let began = self.shared.clock.now();
        let Some(lease) = self.leases.borrow_and_update().clone() else {
            return Ok(Round::Idle(POLL));
        };
        self.warn_of_delays(&lease).await?;
        let limit = WINDOW + self.patience.len();
        let page = self
            .shared
            .store
            .due(&lease, Lane::Here, None, limit)
            .await?;
        let mut due = page.due;
        self.patience.sift(&mut due, self.shared.clock.now());
        if due.is_empty() {
            return self.idle(&lease, began).await;
        }
        if !self.work(&lease, due).await? {
            return self.idle(&lease, began).await;
        }
        Ok(if self.patience.is_full() {
            Round::Stuck
        } else {
            Round::Worked
        })
    }

    /// From `began`, so that what becomes due meanwhile is not slept over.
    async fn idle(&self, lease: &Lease, began: Timestamp) -> Result<Round, StoreError> {
        let next = self.shared.store.next_due(lease, began).await?;
        let next = next.map_or(POLL, |at| at.since(began));
        let patient = self.patience.next(self.shared.clock.now()).unwrap_or(POLL);
        Ok(Round::Idle(next.min(patient).clamp(IDLE_MIN, POLL)))
    }

    /// True when something was done.
    async fn work(&mut self, lease: &Lease, due: Vec<Due>) -> Result<bool, StoreError> {
        let mut mailboxes = Vec::new();
        let mut maildirs = Vec::new();
        let mut owed: BTreeMap<ItemId, Vec<Due>> = BTreeMap::new();
        for due in due {
            match (due.owed, due.destination, &due.maildir) {
                (true, ..) => owed.entry(due.item).or_default().push(due),
                (false, _, Some(_)) => maildirs.push(due),
                (false, Destination::Account(account), None) => mailboxes.push((due, account)),
                // Its lane is another one.
                (false, Destination::Remote, None) => {}
            }
        }
        let mut worked = !mailboxes.is_empty() || !maildirs.is_empty();
        for part in mailboxes.chunks(FAN_OUT_MAX) {
            self.deliver(lease, part).await?;
        }
        for due in maildirs {
            self.maildir(lease, due).await?;
        }
        for (item, recipients) in owed {
            worked |= self.report(lease, item, recipients).await?;
        }
        Ok(worked)
    }

    /// Puts messages into mailboxes.
    async fn deliver(
        &mut self,
        lease: &Lease,
        part: &[(Due, AccountId)],
    ) -> Result<(), StoreError> {
        let deliveries = part
            .iter()
            .map(|(due, account)| local::delivery(due, *account))
            .collect();
        let outcomes = self.shared.store.deliver_local(lease, deliveries).await?;
        let now = self.shared.clock.now();
        for ((due, account), outcome) in part.iter().zip(outcomes) {
            let failures = self.patience.failures(due) + 1;
            match local::judge(outcome, failures) {
                Next::Delivered { uid } => {
                    self.patience.done(due);
                    fate::delivered(due, *account, uid, now);
                }
                // Should it still be due next time, it must not be asked for without end.
                Next::Nothing | Next::Again => self.patience.failed(due, now),
                Next::End(ending) => self.record(lease, due, ending, "mailbox").await?,
            }
        }
        Ok(())
    }

    /// Writes a message into the Maildir of its account.
    async fn maildir(&mut self, lease: &Lease, due: Due) -> Result<(), StoreError> {
        let hostname = self.shared.settings.load().own.hostname.clone();
        let ending = local::maildir(&self.shared.store, &due, &hostname).await;
        let path = due.maildir.clone().unwrap_or_default();
        self.record(lease, &due, ending, &format!("Maildir {path}"))
            .await
    }

    async fn record(
        &mut self,
        lease: &Lease,
        due: &Due,
        ending: Ending,
        detail: &str,
    ) -> Result<(), StoreError> {
        let schedule = self.shared.settings.load().schedule;
        let now = self.shared.clock.now();
        let told = Told {
            due: due.clone(),
            ending,
            trail: None,
        };
        let mut attempt = told.attempt(&schedule, now, &mut self.rng);
        detail.clone_into(&mut attempt.detail);
        let outcome = attempt.outcome.clone();
        self.shared.store.record(lease, vec![attempt]).await?;
        self.patience.done(due);
        fate::recorded(due, &outcome);
        if matches!(outcome, Outcome::Deferred(..))
            && schedule.is_late(due.accepted, now)
            && !due.told
        {
            self.shared.late.add(due.item);
        }
        Ok(())
    }

    /// Tells the sender of an item that some of its recipients have failed. False when that waits
    /// for other attempts at it to end.
    async fn report(
        &mut self,
        lease: &Lease,
        item: ItemId,
        recipients: Vec<Due>,
    ) -> Result<bool, StoreError> {
        let now = self.shared.clock.now();
        // What is being tried may fail too: one report is better than two.
        self.shared.late.wait();
        if self.shared.sites().has_any_of(item) {
            return Ok(false);
        }
        let made = self
            .reporter
            .report(lease, item, ReportKind::Failure)
            .await?;
        for due in &recipients {
            if made {
                self.patience.done(due);
            } else {
                self.patience.failed(due, now);
            }
        }
        Ok(true)
    }

    /// Tells the senders of late messages.
    async fn warn_of_delays(&mut self, lease: &Lease) -> Result<(), StoreError> {
        for item in self.shared.late.take() {
            self.reporter.report(lease, item, ReportKind::Delay).await?;
        }
        Ok(())
    }
}
