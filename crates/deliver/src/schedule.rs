//! When a message that could not be passed on is tried again. RFC 5321 §4.5.4.1
//!
//! The first pause is short, since most troubles are; each one is twice the one before, up to a
//! limit. In this version mail waits for as long as it takes: nothing expires.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The pause after an attempt that was deferred. `made` counts the attempts before it.
pub fn pause_after(made: u32, rng: &mut impl Rng) -> Duration {
    let pause = steady(made);
    // Up to a tenth more, so that what failed together does not come back together.
    pause + pause.mul_f64(rng.random::<f64>() * JITTER)
}

fn steady(made: u32) -> Duration {
    FIRST
        .saturating_mul(1 << made.min(DOUBLINGS_MAX))
        .min(LONGEST)
}

/// The pause after the first attempt.
pub const FIRST: Duration = Duration::from_mins(5);
/// No pause is longer, but for the jitter.
pub const LONGEST: Duration = Duration::from_hours(4);
/// Share of a pause that chance may add.
pub const JITTER: f64 = 0.1;
/// More than it takes from the first pause to the longest.
const DOUBLINGS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        for (made, minutes) in [
            (0, 5),
            (1, 10),
            (2, 20),
            (3, 40),
            (4, 80),
            (5, 160),
            (6, 240),
            (7, 240),
            (9999, 240),
        ] {
            assert_eq!(steady(made), Duration::from_mins(minutes), "{made}");
        }
    }

    #[test]
    fn chance_adds_at_most_a_tenth() {
        let mut rng = SmallRng::seed_from_u64(1);
        let pauses: Vec<_> = (0..1000).map(|_| pause_after(0, &mut rng)).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| *pause >= FIRST && *pause <= FIRST.mul_f64(1.1))
        );
        assert!(pauses.iter().any(|pause| *pause > FIRST.mul_f64(1.08)));
        assert!(pauses.iter().any(|pause| *pause < FIRST.mul_f64(1.02)));
    }
}
