//! The one place that reads the clocks of the machine. Everything else is told the time.

mod machine;

use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use tokio::sync::watch;

use machine::MachineClock;

/// Tells the time and waits for it. Clones are cheap and show the same time.
///
/// The time never goes back, so that a deadline stays where it is. It runs with the monotonic
/// clock. When the wall clock is set forward (or the machine was asleep), it follows at once; when
/// the wall clock is set back, it runs at half speed until the wall clock has caught up: dates are
/// right in the end, and no wait takes more than twice its time.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System(MachineClock),
    Manual(watch::Sender<Timestamp>),
    Runtime {
        start: Timestamp,
        began: tokio::time::Instant,
    },
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Arc::new(Source::System(MachineClock::new())))
    }

    /// A clock for tests: it stands still but for [`advance`](Self::advance).
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(watch::Sender::new(start))))
    }

    /// The clock of the tokio runtime that this is called in: `start` is now. For tests whose
    /// runtime is paused: there the time jumps when nobody has anything to do before.
    pub fn of_runtime(start: Timestamp) -> Self {
        let began = tokio::time::Instant::now();
        Self(Arc::new(Source::Runtime { start, began }))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System(machine) => machine.now(),
            Source::Manual(now) => *now.borrow(),
            Source::Runtime { start, began } => *start + began.elapsed(),
        }
    }

    /// Time that only passes, since some moment: for measuring, finer than a `Timestamp`.
    pub fn elapsed(&self) -> Duration {
        match &*self.0 {
            Source::System(machine) => machine.elapsed(),
            Source::Manual(_) | Source::Runtime { .. } => self.now().since(Timestamp::EPOCH),
        }
    }

    /// Returns when the time is `at` or later; at once when that has passed.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &*self.0 {
            Source::System(_) => loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(SLEEP_MAX)).await;
            },
            Source::Manual(now) => {
                // The sender lives in `self`: waiting cannot fail.
                let _ = now.subscribe().wait_for(|now| *now >= at).await;
            }
            Source::Runtime { start, began } => {
                let at = (*began).checked_add(at.since(*start));
                match at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            }
        }
    }

    /// Moves a manual clock forward and wakes who waited for that. Others go their own way: this
    /// does nothing to them.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &*self.0 {
            now.send_modify(|now| *now = *now + by);
        }
    }
}

/// A sleeper looks at the clock this often, in case that it was set forward meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_their_time_has_come() {
        let clock = Clock::system();
        let at = clock.now() + Duration::from_millis(20);
        clock.sleep_until(at).await;
        assert!(clock.now() >= at);
    }

    #[tokio::test]
    async fn a_manual_clock_moves_by_hand() {
        let clock = Clock::manual(Timestamp::EPOCH);
        clock.sleep_until(Timestamp::EPOCH).await;
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Timestamp::from_millis(60_000)).await }
        });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_millis(59_999));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_millis(1));
        sleeper.await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_millis(60_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_jumps_to_what_is_next() {
        let clock = Clock::of_runtime(Timestamp::EPOCH);
        let at = Timestamp::from_millis(5 * 24 * 3_600_000);
        clock.sleep_until(at).await;
        assert_eq!(clock.now(), at);
        clock.sleep_until(Timestamp::EPOCH).await;
        assert_eq!(clock.now(), at);
        let never = clock.sleep_until(Timestamp::from_millis(i64::MAX));
        assert!(
            tokio::time::timeout(Duration::from_secs(1), never)
                .await
                .is_err()
        );
    }
}
