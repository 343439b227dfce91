//! The one place that reads the clocks of the machine. Everything else is told the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mailtypes::Timestamp;
use tokio::sync::watch;

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
    System {
        began: Instant,
        reading: Mutex<Reading>,
    },
    Manual(watch::Sender<Timestamp>),
    Runtime {
        start: Timestamp,
        began: tokio::time::Instant,
    },
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        let began = monotonic();
        let reading = Reading {
            monotonic: began,
            time: wall(),
        };
        let reading = Mutex::new(reading);
        Self(Arc::new(Source::System { began, reading }))
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
            Source::System { reading, .. } => {
                let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
                let monotonic = monotonic();
                let passed = monotonic.saturating_duration_since(reading.monotonic);
                *reading = Reading {
                    monotonic,
                    time: following(reading.time, passed, wall()),
                };
                to_timestamp(reading.time)
            }
            Source::Manual(now) => *now.borrow(),
            Source::Runtime { start, began } => *start + began.elapsed(),
        }
    }

    /// Time that only passes, since some moment: for measuring, finer than a `Timestamp`.
    pub fn elapsed(&self) -> Duration {
        match &*self.0 {
            Source::System { began, .. } => monotonic().saturating_duration_since(*began),
            Source::Manual(_) | Source::Runtime { .. } => self.now().since(Timestamp::EPOCH),
        }
    }

    /// Returns when the time is `at` or later; at once when that has passed.
    pub async fn sleep_until(&self, at: Timestamp) {
        match &*self.0 {
            Source::System { .. } => loop {
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

/// What the clock showed, and when in monotonic time.
#[derive(Clone, Copy, Debug)]
struct Reading {
    monotonic: Instant,
    /// Since 1970-01-01 00:00 UTC. Finer than a `Timestamp`, so that nothing is lost by rounding
    /// however often the clock is read.
    time: Duration,
}

/// The time `passed` after `before`, when the wall clock shows `wall`.
fn following(before: Duration, passed: Duration, wall: Duration) -> Duration {
    let steady = before.saturating_add(passed);
    if wall > steady.saturating_add(DRIFT_MAX) {
        wall
    } else if wall.saturating_add(DRIFT_MAX) < steady {
        before.saturating_add(passed / 2)
    } else {
        steady
    }
}

fn to_timestamp(time: Duration) -> Timestamp {
    Timestamp::from_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "the one caller")]
fn monotonic() -> Instant {
    Instant::now()
}

/// A machine whose clock stands before 1970 has its battery empty: 1970 will do until NTP comes.
#[expect(clippy::disallowed_methods, reason = "the one caller")]
fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

/// How far wall clock and monotonic clock may be apart before anything is done about it.
const DRIFT_MAX: Duration = Duration::from_secs(1);
/// A sleeper looks at the clock this often, in case that it was set forward meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: u64, passed: u64, wall: u64, expect: u64) {
        let [before, passed, wall, expect] =
            [before, passed, wall, expect].map(Duration::from_millis);
        assert_eq!(following(before, passed, wall), expect);
    }

    #[test]
    fn the_time_runs_with_the_monotonic_clock() {
        check(100_000, 500, 100_500, 100_500);
        check(100_000, 500, 101_500, 100_500); // just within the drift
        check(100_000, 500, 99_500, 100_500);
    }

    #[test]
    fn a_step_forward_is_followed_and_a_step_back_is_caught_up_with() {
        check(100_000, 500, 101_501, 101_501);
        check(100_000, 500, 99_499, 100_250);
        check(100_000, 500, 0, 100_250);
    }

    #[test]
    fn the_system_clock_does_not_go_back() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(first > Timestamp::from_millis(1_700_000_000_000));
        assert!(clock.now() >= first);
    }

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
