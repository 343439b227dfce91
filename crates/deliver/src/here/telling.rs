//! What came of things that need no network: told to the recorder, and to senders.

use std::collections::HashMap;
use std::sync::Arc;

use mailtypes::ItemId;
use store::{Due, Lease, ReportKind, Store, StoreError};
use tokio::task::JoinSet;

use super::Here;
use crate::limits::REPORTS_AT_ONCE;
use crate::outcome::Ending;
use crate::reports::Manner;
use crate::reports::{Sent, Writing};

/// What came of one report.
type Left = (ItemId, ReportKind, Result<Sent, StoreError>);

impl<S: Store, R: Send + Sync + 'static, D: Send + Sync + 'static> Here<S, R, D> {
    /// An attempt has ended, unless somebody else works on that recipient.
    pub(super) async fn tell(&self, due: Due, ending: Ending, detail: &str) {
        if self.shared.sites().hold(&due) {
            self.shared.tell_here(due, ending, detail).await;
        }
    }

    /// Writes some of the reports that are owed, and then of those on what is late, so that mail
    /// in between does not wait for them all. True when there were some.
    pub(super) async fn report(&mut self, lease: &Lease) -> Result<bool, StoreError> {
        let mut writing = JoinSet::new();
        let mut about = HashMap::new();
        for (item, kind, manner) in self.reports() {
            let reporter = Arc::clone(&self.reporter);
            let (lease, seed) = (lease.clone(), self.seed);
            let work = async move {
                let how = Writing { lease, seed, kind };
                (item, kind, reporter.write(item, how, manner).await)
            };
            about.insert(writing.spawn(work).id(), (item, kind));
        }
        let any = !about.is_empty();
        let mut trouble = Ok(any);
        while let Some(left) = writing.join_next().await {
            match left {
                Ok(left) => trouble = trouble.and(self.reported(left)).map(|()| any),
                Err(error) => {
                    let Some((item, kind)) = about.remove(&error.id()) else {
                        continue;
                    };
                    tracing::error!(%item, %error, "a report came to grief");
                    if kind == ReportKind::Failure {
                        self.owed.came_to_grief(item, self.shared.clock.now());
                    }
                }
            }
        }
        trouble
    }

    /// What to write in this round.
    fn reports(&mut self) -> Vec<(ItemId, ReportKind, Manner)> {
        let now = self.shared.clock.now();
        let lifetime = self.shared.settings.load().schedule.lifetime;
        if self.owed.next().is_some_and(|at| at <= now) {
            // Before the look: whoever falls out of hand after it says so.
            self.shared.late.wait();
        }
        let in_hand = |item| self.shared.sites().has_any_of(item);
        let failed = self.owed.take(now, lifetime, REPORTS_AT_ONCE, in_hand);
        let late = self.shared.late.take(REPORTS_AT_ONCE - failed.len());
        let failed = failed
            .into_iter()
            .map(|(item, manner)| (item, ReportKind::Failure, manner));
        let late = late
            .into_iter()
            .map(|item| (item, ReportKind::Delay, Manner::Usual));
        failed.chain(late).collect()
    }

    fn reported(&mut self, (item, kind, sent): Left) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        match (kind, sent) {
            (_, Err(error @ (StoreError::Closed | StoreError::LeaseLost))) => return Err(error),
            // The sender is told after the next attempt.
            (ReportKind::Delay, _) => {}
            (ReportKind::Failure, Ok(Sent::Done)) => self.owed.done(item),
            (ReportKind::Failure, Ok(Sent::Later(why))) => {
                tracing::warn!(%item, why, "a report has to wait");
                self.owed.failed(item, why, now);
            }
            (ReportKind::Failure, Err(error)) => {
                tracing::warn!(%item, %error, "a report has to wait");
                self.owed.failed(item, error.to_string(), now);
            }
        }
        Ok(())
    }
}
