//! Recipients that wait in memory because our own store failed them.
//!
//! They stay due in the store. One that fails again and again delays itself and nobody else, and a
//! sick disk does not make the deliverer run hot.

use std::collections::HashMap;
use std::time::Duration;

use mailtypes::{ItemId, Timestamp};
use store::Due;

use crate::limits::{PAUSE_FIRST, PAUSE_MAX, POLL, WAITING_MAX};

/// Which recipients wait, until when, and how often they have failed.
#[derive(Debug, Default)]
pub(crate) struct Patience(HashMap<(ItemId, u32), Waiting>);

#[derive(Debug)]
struct Waiting {
    failures: u32,
    until: Timestamp,
}

impl Patience {
    /// How many wait.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no more may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= WAITING_MAX
    }

    /// How often a recipient has failed in a row.
    pub(crate) fn failures(&self, due: &Due) -> u32 {
        self.0.get(&key(due)).map_or(0, |waiting| waiting.failures)
    }

    /// It failed once more.
    pub(crate) fn failed(&mut self, due: &Due, now: Timestamp) {
        let failures = self.failures(due) + 1;
        if failures > 1 || !self.is_full() {
            let until = now + pause(failures);
            self.0.insert(key(due), Waiting { failures, until });
        }
    }

    /// It has come further.
    pub(crate) fn done(&mut self, due: &Due) {
        if !self.0.is_empty() {
            self.0.remove(&key(due));
        }
    }

    /// Leaves in `all` what may be tried now, and forgets what was not seen for so long that it
    /// cannot be due any more.
    pub(crate) fn sift<T>(
        &mut self,
        all: &mut Vec<T>,
        due_of: impl Fn(&T) -> &Due,
        now: Timestamp,
    ) {
        if self.0.is_empty() {
            return;
        }
        self.0.retain(|_, waiting| waiting.until + FORGOTTEN > now);
        all.retain(|one| {
            let waiting = self.0.get(&key(due_of(one)));
            waiting.is_none_or(|waiting| waiting.until <= now)
        });
    }

    /// How long until one of them may be tried.
    pub(crate) fn next(&self, now: Timestamp) -> Option<Duration> {
        let times = self.0.values().map(|waiting| waiting.until);
        // One whose time has come is seen at the next walk, and that has its own time.
        let waits = times.filter(|until| *until > now);
        waits.map(|until| until.since(now)).min()
    }
}

/// Failures of our own store that keep everything waiting, in a row.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    failures: u32,
    until: Option<Timestamp>,
    /// Somebody has gone to see whether it is over.
    is_tried: bool,
}

impl Trouble {
    /// It failed. True for the first one of several that failed together.
    pub(crate) fn failed(&mut self, now: Timestamp) -> bool {
        self.is_tried = false;
        if self.wait(now).is_some() {
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now + pause(self.failures));
        true
    }

    /// It went well. True when there was trouble before.
    pub(crate) fn over(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }

    /// How long everything waits.
    pub(crate) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let until = self.until.filter(|until| now < *until);
        until.map(|until| until.since(now))
    }

    /// Whether somebody may begin: after a failure one at a time.
    pub(crate) fn may_begin(&self, now: Timestamp) -> bool {
        self.failures == 0 || (self.wait(now).is_none() && !self.is_tried)
    }

    /// Somebody begins, or has gone without having begun anything.
    pub(crate) fn tries(&mut self, is_tried: bool) {
        self.is_tried = is_tried;
    }
}

/// The pause after a number of failures in a row.
pub(crate) fn pause(failures: u32) -> Duration {
    doubled(failures, PAUSE_MAX)
}

/// The same up to another limit.
pub(crate) fn doubled(failures: u32, longest: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
    PAUSE_FIRST.saturating_mul(1 << doublings).min(longest)
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}

/// More than it takes from the first pause to the longest.
const DOUBLINGS_MAX: u32 = 10;
/// Several walks of the lane.
const FORGOTTEN: Duration = POLL.saturating_mul(4);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::due;

    fn sifted(patience: &mut Patience, secs: i64) -> Vec<u32> {
        let mut all = vec![due(1), due(2)];
        patience.sift(&mut all, |due| due, Timestamp::from_millis(secs * 1000));
        all.iter().map(|due| due.recipient).collect()
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        for (failures, secs) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (u32::MAX, 60)] {
            assert_eq!(pause(failures), Duration::from_secs(secs), "{failures}");
        }
    }

    #[test]
    fn after_trouble_one_goes_and_looks() {
        let at = Timestamp::from_millis;
        let mut trouble = Trouble::default();
        assert!(trouble.may_begin(at(0)) && !trouble.over());
        assert!(trouble.failed(at(0)), "it is told once");
        assert!(!trouble.failed(at(10)), "with those that began before");
        assert_eq!(trouble.wait(at(10)), Some(Duration::from_millis(990)));
        assert!(!trouble.may_begin(at(10)) && trouble.may_begin(at(1000)));
        trouble.tries(true);
        assert!(!trouble.may_begin(at(1000)), "one at a time");
        assert!(trouble.failed(at(1001)));
        assert_eq!(trouble.wait(at(1001)), Some(Duration::from_secs(2)));
        trouble.tries(true);
        trouble.tries(false); // it had nothing to do
        assert!(trouble.may_begin(at(3001)));
        assert!(trouble.over());
        assert!(trouble.may_begin(at(3001)) && !trouble.over());
    }

    #[test]
    fn one_waits_and_the_other_goes() {
        let mut patience = Patience::default();
        assert_eq!(sifted(&mut patience, 0), [1, 2]);
        patience.failed(&due(1), Timestamp::EPOCH);
        assert_eq!(sifted(&mut patience, 0), [2]);
        assert_eq!(
            patience.next(Timestamp::EPOCH),
            Some(Duration::from_secs(1))
        );
        assert_eq!(sifted(&mut patience, 1), [1, 2]);
        patience.failed(&due(1), Timestamp::from_millis(1000));
        assert_eq!(patience.failures(&due(1)), 2);
        assert_eq!(sifted(&mut patience, 2), [2]);
        assert_eq!(sifted(&mut patience, 3), [1, 2]);
        patience.done(&due(1));
        assert_eq!(patience.failures(&due(1)), 0);
    }

    #[test]
    fn what_is_no_longer_due_is_forgotten_and_no_more_than_the_limit_wait() {
        let mut patience = Patience::default();
        patience.failed(&due(1), Timestamp::EPOCH);
        assert_eq!(sifted(&mut patience, 120), [1, 2]);
        assert_eq!(patience.len(), 1);
        sifted(&mut patience, 121);
        assert_eq!(patience.len(), 0);
        for n in 0..=600 {
            patience.failed(&due(n), Timestamp::EPOCH);
        }
        assert_eq!(patience.len(), WAITING_MAX);
        assert!(patience.is_full());
    }
}
