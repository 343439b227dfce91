//! Records what came of attempts, many at a time. While that fails, no further attempt begins.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use store::{Attempt, Due, Lease, Outcome, Store, StoreError};
use tokio::sync::{mpsc, watch};

use crate::fate;
use crate::limits::{RECORD_AT_ONCE, RECORD_OCTETS_MAX, RECORD_PAUSE_MAX};
use crate::outcome::Told;
use crate::patience;
use crate::shared::Shared;

/// One who writes outcomes down.
pub(crate) struct Recorder<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    endings: mpsc::Receiver<Told>,
    pace: Pace,
    /// How many it takes at a time.
    at_once: usize,
    /// It stops, and outcomes could not be recorded.
    gave_up: bool,
    leases: watch::Receiver<Option<Lease>>,
    rng: SmallRng,
}

/// How soon it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At once.
    Prompt,
    /// When what is prompt has had its way.
    Patient,
}

impl<S: Store, R, D> Recorder<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        endings: mpsc::Receiver<Told>,
        pace: Pace,
        rng: SmallRng,
    ) -> Self {
        Self {
            leases: shared.lease.clone(),
            shared,
            endings,
            pace,
            at_once: RECORD_AT_ONCE,
            gave_up: false,
            rng,
        }
    }

    /// Works until `ended` says that nobody has anything more to tell.
    pub(crate) async fn run(mut self, mut ended: watch::Receiver<bool>) {
        let mut told = Vec::new();
        loop {
            tokio::select! {
                biased;
                some = self.endings.recv_many(&mut told, self.at_once) => {
                    if some == 0 {
                        return;
                    }
                }
                _ = ended.wait_for(|ended| *ended), if !self.endings.is_closed() => {
                    self.endings.close();
                    continue;
                }
            }
            let began = self.shared.clock.elapsed();
            let done = told.iter().filter(|told| told.is_done()).count();
            let made = told.drain(..).map(|told| self.attempt(told));
            let mut made: Vec<_> = made.collect();
            while !made.is_empty() {
                self.record(group(&mut made)).await;
            }
            self.shared.changed.notify_one();
            match self.pace {
                Pace::Prompt => self.shared.endings.count_prompt(done),
                Pace::Patient => self.give_way(began).await,
            }
        }
    }

    /// Leaves the store to others, having begun at `began`.
    /// Not by the clock: one that stands still would hold up everything.
    async fn give_way(&mut self, began: Duration) {
        let took = self.shared.clock.elapsed().saturating_sub(began);
        let (pause, at_once) = self.shared.endings.give_way(took);
        self.at_once = at_once;
        if self.shared.is_stopping() {
            self.at_once = RECORD_AT_ONCE;
        } else if !pause.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shared.stopped() => {}
            }
        }
    }

    async fn record(&mut self, made: Vec<(Due, Attempt)>) {
        let (dues, attempts): (Vec<Due>, Vec<Attempt>) = made.into_iter().unzip();
        let attempts: Arc<[Attempt]> = attempts.into();
        let mut failures = 0;
        loop {
            let Some(lease) = self.leases.borrow_and_update().clone() else {
                return self.shared.let_go(dues.iter());
            };
            match self
                .shared
                .store
                .record(&lease, Arc::clone(&attempts))
                .await
            {
                Ok(()) => return self.recorded(&dues, &attempts),
                Err(StoreError::Closed) => return self.shared.let_go(dues.iter()),
                Err(StoreError::LeaseLost) => {
                    // What came of an attempt is true under whatever lease it is written down.
                    if self.leases.changed().await.is_err() {
                        return self.shared.let_go(dues.iter());
                    }
                }
                Err(error) => {
                    failures += 1;
                    if self.shared.is_stopping() && (self.gave_up || failures > LAST_TRIES) {
                        self.gave_up = true;
                        // The marks tell the next start what was under way.
                        tracing::error!(%error, outcomes = dues.len(), "outcomes are not recorded");
                        return self.shared.let_go(dues.iter());
                    }
                    tracing::warn!(%error, "outcomes cannot be recorded: deliveries wait");
                    let pause = patience::doubled(failures, RECORD_PAUSE_MAX);
                    let until = self.shared.clock.now() + pause;
                    self.shared.clock.sleep_until(until).await;
                }
            }
        }
    }

    fn recorded(&self, dues: &[Due], attempts: &[Attempt]) {
        let now = self.shared.clock.now();
        let settings = self.shared.settings.load();
        for (due, attempt) in dues.iter().zip(attempts) {
            fate::recorded(due, &attempt.outcome);
            self.shared.metrics.recorded(due, &attempt.outcome, now);
            let waits = matches!(
                attempt.outcome,
                Outcome::Deferred(..) | Outcome::Postponed(..)
            );
            let is_late = waits && !due.told && settings.schedule.is_late(due.accepted, now);
            if is_late {
                self.shared.late.add(due.item);
            }
        }
        self.shared.done_with(dues.iter());
        let failed = |attempt: &Attempt| matches!(attempt.outcome, Outcome::Failed(_));
        if attempts.iter().any(failed) {
            self.shared.late.notify();
        }
    }

    fn attempt(&mut self, told: Told) -> (Due, Attempt) {
        let schedule = self.shared.settings.load().schedule;
        let attempt = told.attempt(&schedule, &mut self.rng);
        (told.due, attempt)
    }
}

/// Takes as many off the front as are recorded together: their texts may be long.
fn group(made: &mut Vec<(Due, Attempt)>) -> Vec<(Due, Attempt)> {
    let mut octets = 0;
    let fit = made.iter().take_while(|(_, attempt)| {
        octets += attempt.weight();
        octets <= RECORD_OCTETS_MAX
    });
    let len = fit.count().max(1).min(made.len());
    let rest = made.split_off(len);
    std::mem::replace(made, rest)
}

/// How often a server that stops tries again to record outcomes.
const LAST_TRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::due;

    #[test]
    fn long_trails_are_not_recorded_all_at_once() {
        const MAX: usize = RECORD_OCTETS_MAX;
        for (trails, groups) in [
            (&[][..], &[][..]),
            (&[0, 0, 0], &[3]),
            (&[MAX / 2, MAX / 2, 1], &[2, 1]),
            (&[MAX + 1, 0, MAX, MAX], &[1, 2, 1]),
        ] {
            let made = |len: &usize| {
                let due = due(0);
                let attempt = Attempt {
                    item: due.item,
                    recipient: due.recipient,
                    since: due.due,
                    at: due.due,
                    outcome: Outcome::Crashed(due.due),
                    detail: String::new(),
                    trail: (*len > 0).then(|| "x".repeat(*len)),
                };
                (due, attempt)
            };
            let mut made: Vec<_> = trails.iter().map(made).collect();
            let mut found = Vec::new();
            while !made.is_empty() {
                found.push(group(&mut made).len());
            }
            assert_eq!(found, groups, "{trails:?}");
        }
    }
}
