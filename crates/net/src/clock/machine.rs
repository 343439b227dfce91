//! The clock of the machine. All threads read it many times for each message, so nobody waits here for
//! another.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use mailtypes::Timestamp;

/// Time that runs with the monotonic clock and follows the wall clock. In nanoseconds it lasts until
/// 2262.
#[derive(Debug)]
pub(super) struct MachineClock {
    began: Instant,
    /// Nanoseconds from 1970 to `began`, as the time runs now.
    offset: AtomicI64,
    /// When somebody is to look at the wall clock again, in nanoseconds since `began`.
    look_at: AtomicI64,
    looked: Mutex<Reading>,
    /// The last time that was told, in milliseconds: it never goes back.
    told: AtomicI64,
}

/// What the clock showed when the wall clock was looked at last.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// Since the clock began.
    elapsed: Duration,
    /// Since 1970-01-01 00:00 UTC. Finer than a `Timestamp`, so that nothing is lost by rounding.
    time: Duration,
}

impl MachineClock {
    pub(super) fn new() -> Self {
        let (began, time) = (monotonic(), wall());
        Self::set(began, time)
    }

    /// A clock that shows `time` at `began`.
    fn set(began: Instant, time: Duration) -> Self {
        let looked = Reading {
            elapsed: Duration::ZERO,
            time,
        };
        Self {
            began,
            offset: AtomicI64::new(nanoseconds(time)),
            look_at: AtomicI64::new(nanoseconds(LOOK_EVERY)),
            looked: Mutex::new(looked),
            told: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        monotonic().saturating_duration_since(self.began)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.read(|| self.elapsed(), wall)
    }

    /// The time, as told by a monotonic clock and a wall clock.
    fn read(&self, elapsed: impl Fn() -> Duration, wall: impl FnOnce() -> Duration) -> Timestamp {
        let mut now = nanoseconds(elapsed());
        let late = now - self.look_at.load(Ordering::Acquire);
        if late >= 0
            && let Some(mut looked) = self.look(late)
        {
            // In this order: a pause between the two must not look like a step forward.
            let wall = wall();
            let elapsed = elapsed();
            now = nanoseconds(elapsed);
            self.follow(&mut looked, elapsed, wall);
        }
        let time = self.offset.load(Ordering::Relaxed) + now;
        Timestamp::from_millis(self.tell(time / 1_000_000))
    }

    /// Nothing when somebody else is looking. Behind a longer quiet, that one is waited for: a step of the
    /// wall clock would be missed for all of it.
    fn look(&self, late: i64) -> Option<MutexGuard<'_, Reading>> {
        if late > nanoseconds(LATE) {
            return Some(self.looked.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match self.looked.try_lock() {
            Ok(looked) => Some(looked),
            Err(TryLockError::Poisoned(looked)) => Some(looked.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Follows the wall clock, unless somebody has just done so.
    fn follow(&self, looked: &mut Reading, elapsed: Duration, wall: Duration) {
        let passed = elapsed.saturating_sub(looked.elapsed);
        if passed < LOOK_EVERY {
            return;
        }
        let time = following(looked.time, passed, wall);
        *looked = Reading { elapsed, time };
        let offset = nanoseconds(time) - nanoseconds(elapsed);
        self.offset.store(offset, Ordering::Relaxed);
        // Whoever sees this sees the offset too.
        let next = nanoseconds(elapsed + LOOK_EVERY);
        self.look_at.store(next, Ordering::Release);
    }

    /// The time, or one that was told to somebody before and is later. Most of those who ask within
    /// one millisecond only read.
    fn tell(&self, time: i64) -> i64 {
        let told = self.told.load(Ordering::Relaxed);
        if told >= time {
            return told;
        }
        self.told.fetch_max(time, Ordering::Relaxed).max(time)
    }
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

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX / 2)
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
/// How often the wall clock is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// When a look is so late, nobody is told the time without it.
const LATE: Duration = Duration::from_millis(10);

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

    const HOUR: Duration = Duration::from_hours(1);

    /// A clock that began when it was 01:00 on the first day of 1970, and how to read it.
    fn began() -> (MachineClock, impl Fn(&MachineClock, u64, u64) -> i64) {
        let read = |clock: &MachineClock, elapsed, wall| {
            let [elapsed, wall] = [elapsed, wall].map(Duration::from_micros);
            let time = clock.read(|| elapsed, || HOUR + wall);
            time.as_millis() - (Timestamp::EPOCH + HOUR).as_millis()
        };
        (MachineClock::set(monotonic(), HOUR), read)
    }

    #[test]
    fn a_step_is_seen_by_the_first_who_asks_a_millisecond_later() {
        let (clock, read) = began();
        let second = 1_000_000;
        assert_eq!(read(&clock, 500, 100 * second), 0, "too soon to look");
        assert_eq!(read(&clock, 1_000, 100 * second), 100_000);
        assert_eq!(read(&clock, 9_000, 100 * second + 8_000), 100_008);
        // Back to where it was: the time runs at half speed from where it is.
        assert_eq!(read(&clock, 60_009_000, 60_009_000), 130_008);
        // Who was quicker with one of the clocks, or late with both, is told no less.
        assert_eq!(read(&clock, 50_000_000, 50_000_000), 130_008);
    }

    #[test]
    fn who_asks_meanwhile_is_told_the_time_without_a_look() {
        let (clock, read) = began();
        let looking = clock.looked.lock().unwrap();
        assert_eq!(read(&clock, 5_000, 0), 5);
        drop(looking);
        assert_eq!(read(&clock, 6_000, 0), 6);
    }

    #[test]
    fn behind_a_long_quiet_everybody_waits_for_the_look() {
        let (clock, read) = began();
        let minute = 60_000_000;
        let looking = clock.looked.lock().unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| read(&clock, minute, 0));
            std::thread::sleep(Duration::from_millis(20));
            drop(looking);
            // Half of the minute, as the wall clock was set back; not all of it.
            assert_eq!(other.join().unwrap(), 30_000);
        });
    }

    #[test]
    fn no_thread_is_told_less_than_another_was_before() {
        let clock = MachineClock::new();
        let latest = AtomicI64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while clock.elapsed() < Duration::from_millis(50) {
                        let before = latest.load(Ordering::SeqCst);
                        // The wall clock jumps forth and back.
                        let away = HOUR * (clock.elapsed().subsec_millis() % 5);
                        let now = clock.read(|| clock.elapsed(), || wall() + away);
                        assert!(now.as_millis() >= before, "{now:?} after {before}");
                        latest.fetch_max(now.as_millis(), Ordering::SeqCst);
                    }
                });
            }
        });
        let hours = Timestamp::from_millis(latest.into_inner()).since(clock_of_the_wall());
        assert!(hours >= HOUR / 2, "it never jumped: {hours:?}");
    }

    fn clock_of_the_wall() -> Timestamp {
        Timestamp::EPOCH + wall()
    }

    #[test]
    fn the_clock_of_this_machine_is_right() {
        let clock = MachineClock::new();
        let away = clock.now().since(clock_of_the_wall());
        assert!(away < Duration::from_secs(1));
        assert!(clock.now() > Timestamp::from_millis(1_700_000_000_000));
    }
}
