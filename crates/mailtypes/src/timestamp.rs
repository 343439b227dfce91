//! Points in time. Nothing below `net` reads a clock: times come in as arguments.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point in time in milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01 00:00 UTC.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole days since the epoch: the key of daily totals.
    pub const fn as_days(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// How long ago `earlier` was; zero when it is still to come.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(rhs.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Display for Timestamp {
    /// Milliseconds since the epoch; people get dates from `message::date`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_subtract_and_saturate() {
        let at = Timestamp::from_millis(86_400_000);
        assert_eq!((at + Duration::from_secs(1)).as_millis(), 86_401_000);
        assert_eq!((at - Duration::from_millis(1)).as_days(), 0);
        assert_eq!(at.since(Timestamp::EPOCH), Duration::from_hours(24));
        assert_eq!(Timestamp::EPOCH.since(at), Duration::ZERO);
        assert_eq!((at + Duration::MAX).as_millis(), i64::MAX);
        assert_eq!(Timestamp::from_millis(-1).as_secs(), -1);
    }
}
