//! When a message that could not be passed on is tried again, and for how long. RFC 5321 §4.5.4.1

use std::time::Duration;

use mailtypes::Timestamp;
use rand::{Rng, RngExt};
use store::Due;

/// The times of retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The pause after the first attempt; each one is twice the one before.
    pub first: Duration,
    /// No pause is longer, but for the jitter.
    pub longest: Duration,
    /// After so long the sender is warned of the delay; `None`: never.
    pub warning: Option<Duration>,
    /// After so long it is given up.
    pub lifetime: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            first: Duration::from_mins(5),
            longest: Duration::from_hours(4),
            warning: Some(Duration::from_hours(4)),
            lifetime: Duration::from_hours(5 * 24),
        }
    }
}

impl Schedule {
    /// When to try again after an attempt at `now` of a message accepted at `accepted`; `made`
    /// counts the attempts before it. `None`: its time is over, it is given up. Nothing is given up
    /// at its first attempt, should that come as late as this.
    ///
    /// The moments at which the sender is to be told something are moments of an attempt too, so
    /// that what is told is true.
    pub fn next(
        &self,
        accepted: Timestamp,
        made: u32,
        now: Timestamp,
        rng: &mut impl Rng,
    ) -> Option<Timestamp> {
        let pause = self.steady_at(made, accepted, now);
        let next = now + (pause + self.jitter(pause, rng));
        if self.is_over(accepted, now) {
            return (made == 0).then_some(next);
        }
        Some(self.not_beyond(accepted, next, now))
    }

    /// A time to wait until, but for the moments ahead at which the sender is to be told something.
    pub(crate) fn not_beyond(
        &self,
        accepted: Timestamp,
        until: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        let moments = [self.warning, Some(self.lifetime)];
        let moments = moments.into_iter().flatten().map(|span| accepted + span);
        moments.filter(|at| *at > now).fold(until, Timestamp::min)
    }

    /// Whether an attempt at `now` is the last one.
    pub(crate) fn is_over(&self, accepted: Timestamp, now: Timestamp) -> bool {
        now >= accepted + self.lifetime
    }

    /// Whether the sender is to be warned of a delay by now.
    pub fn is_late(&self, accepted: Timestamp, now: Timestamp) -> bool {
        self.warning
            .is_some_and(|warning| now >= accepted + warning)
    }

    /// The pause after an attempt; `made` counts those before it.
    pub fn pause(&self, made: u32, rng: &mut impl Rng) -> Duration {
        let pause = self.steady(made);
        pause + self.jitter(pause, rng)
    }

    /// The pause that an attempt at `now` comes behind; the last one needs none.
    pub(crate) fn pause_before(&self, due: &Due, now: Timestamp) -> Option<Duration> {
        if self.is_over(due.accepted, now) {
            return Some(Duration::ZERO);
        }
        let made = due.attempts.checked_sub(1)?;
        Some(self.steady_at(made, due.accepted, now))
    }

    /// The pause after an attempt at `now`, without chance. With attempts at their times the pauses
    /// before it and the first one add up to it. Those that somebody ordered come early: they do not
    /// put off the others.
    fn steady_at(&self, made: u32, accepted: Timestamp, now: Timestamp) -> Duration {
        let age = now.since(accepted);
        self.steady(made).min(self.first.saturating_add(age))
    }

    /// Up to a tenth of a pause, so that what failed together does not come back together.
    #[expect(clippy::unused_self, reason = "it is part of the schedule")]
    pub(crate) fn jitter(&self, pause: Duration, rng: &mut impl Rng) -> Duration {
        pause.mul_f64(rng.random::<f64>() * JITTER)
    }

    /// The pause after an attempt, without chance.
    pub(crate) fn steady(&self, made: u32) -> Duration {
        self.first
            .saturating_mul(1 << made.min(DOUBLINGS_MAX))
            .min(self.longest)
    }
}

/// Share of a pause that chance may add.
const JITTER: f64 = 0.1;
/// More than it takes from the first pause to the longest.
const DOUBLINGS_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    fn minutes(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        let schedule = Schedule::default();
        for (made, minutes) in [
            (0, 5),
            (1, 10),
            (2, 20),
            (3, 40),
            (4, 80),
            (5, 160),
            (6, 240),
            (7, 240),
            (u32::MAX, 240),
        ] {
            assert_eq!(
                schedule.steady(made),
                Duration::from_mins(minutes),
                "{made}"
            );
        }
    }

    #[test]
    fn chance_adds_at_most_a_tenth() {
        let mut rng = SmallRng::seed_from_u64(1);
        let schedule = Schedule::default();
        let first = schedule.first;
        let pauses: Vec<_> = (0..1000).map(|_| schedule.pause(0, &mut rng)).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| *pause >= first && *pause <= first.mul_f64(1.1))
        );
        assert!(pauses.iter().any(|pause| *pause > first.mul_f64(1.08)));
        assert!(pauses.iter().any(|pause| *pause < first.mul_f64(1.02)));
    }

    #[test]
    fn what_the_sender_is_told_comes_with_an_attempt() {
        let schedule = Schedule::default();
        let mut rng = SmallRng::seed_from_u64(1);
        let mut next = |made, at| schedule.next(Timestamp::EPOCH, made, minutes(at), &mut rng);
        // The warning after four hours would fall into a pause.
        assert_eq!(next(5, 160), Some(minutes(240)));
        assert!(next(6, 240) >= Some(minutes(480)));
        // So would the end after five days.
        assert_eq!(next(30, 7100), Some(minutes(7200)));
        assert_eq!(next(31, 7200), None);
        assert!(!schedule.is_late(Timestamp::EPOCH, minutes(239)));
        assert!(schedule.is_late(Timestamp::EPOCH, minutes(240)));
    }

    #[test]
    fn tries_that_were_ordered_do_not_put_off_the_others() {
        let schedule = Schedule::default();
        let mut rng = SmallRng::seed_from_u64(1);
        let next = schedule.next(Timestamp::EPOCH, 8, minutes(1), &mut rng);
        assert!((minutes(7)..=minutes(8)).contains(&next.unwrap()));
        let due = Due {
            attempts: 9,
            accepted: Timestamp::EPOCH,
            ..crate::testing::due(0)
        };
        let pause = schedule.pause_before(&due, minutes(1));
        assert_eq!(pause, Some(Duration::from_mins(6)));
    }

    #[test]
    fn a_life_of_five_days_has_some_forty_attempts() {
        let schedule = Schedule::default();
        let mut rng = SmallRng::seed_from_u64(7);
        let mut at = Timestamp::EPOCH;
        let mut made = 0;
        let mut times = vec![at];
        while let Some(next) = schedule.next(Timestamp::EPOCH, made, at, &mut rng) {
            assert!(next > at);
            at = next;
            made += 1;
            times.push(at);
        }
        assert!(times.contains(&minutes(240)) && at == minutes(7200));
        assert!((30..=45).contains(&made), "{made}");
    }
}
