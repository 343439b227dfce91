//! From how an attempt ended to what is recorded of it.

use mailtypes::{EnhancedCode, Status, Timestamp};
use rand::Rng;
use store::{Attempt, Due, Outcome};

use crate::schedule::Schedule;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Somebody else has it now.
    Delivered(Status),
    /// Not now.
    Later(Status),
    /// We had to stop: again as soon as we are back.
    Stopped(Status),
    /// Nobody was asked: not before then.
    Untried(Status, Timestamp),
    /// Never.
    Never(Status),
    /// What worked on it came to grief.
    Crashed,
}

/// How an attempt at one recipient ended, and its trail.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) due: Due,
    /// When it began, if somebody was asked.
    pub(crate) began: Option<Timestamp>,
    /// When it ended.
    pub(crate) at: Timestamp,
    pub(crate) ending: Ending,
    /// By which way, for people, where no trail says so.
    pub(crate) detail: String,
    /// As the store keeps it.
    pub(crate) trail: Option<String>,
}

impl Told {
    /// Whether the recipient waits no more.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.ending, Ending::Delivered(_) | Ending::Never(_))
    }

    /// As the store records it.
    pub(crate) fn attempt(&self, schedule: &Schedule, rng: &mut impl Rng) -> Attempt {
        Attempt {
            item: self.due.item,
            recipient: self.due.recipient,
            since: self
                .began
                .map_or(self.due.due, |began| began.max(self.due.due)),
            at: self.at,
            outcome: outcome(&self.due, self.ending.clone(), schedule, self.at, rng),
            detail: self.detail.clone(),
            trail: self.trail.clone(),
        }
    }
}

/// What is recorded of what ended at `now`: a delay has its next time, and one that has lasted too long is a
/// failure.
pub(crate) fn outcome(
    due: &Due,
    ending: Ending,
    schedule: &Schedule,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Outcome {
    match ending {
        Ending::Delivered(status) => Outcome::Delivered(status),
        Ending::Never(status) => Outcome::Failed(status),
        Ending::Stopped(status) => Outcome::Deferred(status, now),
        Ending::Crashed => Outcome::Crashed(now + schedule.pause(due.attempts, rng)),
        Ending::Later(status) => match schedule.next(due.accepted, due.attempts, now, rng) {
            Some(again) => Outcome::Deferred(status, again),
            None => Outcome::Failed(expired(schedule, &status)),
        },
        Ending::Untried(status, until) => {
            Outcome::Postponed(status, schedule.not_beyond(due.accepted, until, now))
        }
    }
}

/// RFC 3463 §3.5: delivery time expired
fn expired(schedule: &Schedule, last: &Status) -> Status {
    let secs = schedule.lifetime.as_secs();
    let span = match secs {
        _ if secs.is_multiple_of(DAY) => format!("{} days", secs / DAY),
        _ if secs.is_multiple_of(HOUR) => format!("{} h", secs / HOUR),
        _ => format!("{secs} s"),
    };
    Status::new(
        EnhancedCode::new(5, 4, 7),
        format!("given up after {span}; the last try: {last}"),
    )
}

const DAY: u64 = 86_400;
const HOUR: u64 = 3600;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;
    use crate::testing::due;

    #[test]
    fn what_lasts_too_long_has_failed() {
        let schedule = Schedule::default();
        let mut rng = SmallRng::seed_from_u64(1);
        let status = Status::new(EnhancedCode::new(4, 4, 1), "nobody there");
        let mut after = |attempts, ending, millis| {
            let due = Due { attempts, ..due(0) };
            outcome(
                &due,
                ending,
                &schedule,
                Timestamp::from_millis(millis),
                &mut rng,
            )
        };
        let later = || Ending::Later(status.clone());
        let Outcome::Deferred(told, again) = after(0, later(), 0) else {
            panic!("it waits");
        };
        assert_eq!(told, status);
        let first = 300_000..=330_000;
        assert!(first.contains(&again.as_millis()), "{again:?}");
        let five_days = 5 * 86_400_000;
        let late = after(1, later(), five_days - 1);
        assert!(matches!(late, Outcome::Deferred(..)));
        // The only try that there was is not the last one.
        let only = after(0, later(), five_days);
        assert!(matches!(only, Outcome::Deferred(..)));
        let Outcome::Failed(told) = after(1, later(), five_days) else {
            panic!("its time is over");
        };
        assert_eq!(
            told.to_string(),
            "5.4.7 given up after 5 days; the last try: 4.4.1 nobody there"
        );
        let until = Timestamp::from_millis(five_days + 60_000);
        let mut untried = |millis| match after(0, Ending::Untried(status.clone(), until), millis) {
            Outcome::Postponed(_, again) => again,
            other => panic!("nobody has tried: {other:?}"),
        };
        let four_hours = Timestamp::from_millis(4 * 3_600_000);
        assert_eq!(untried(0), four_hours, "the warning comes with a try");
        let last = Timestamp::from_millis(five_days);
        assert_eq!(untried(five_days - 1), last, "and so does the end");
        assert!(untried(five_days) >= until, "which waits too");
        let mut end = |ending, millis| after(1, ending, millis);
        let stopped = Ending::Stopped(status.clone());
        let at = Timestamp::from_millis(five_days);
        assert_eq!(
            end(stopped, five_days),
            Outcome::Deferred(status.clone(), at)
        );
        assert_eq!(
            end(Ending::Never(status.clone()), 0),
            Outcome::Failed(status.clone())
        );
        assert!(matches!(
            end(Ending::Crashed, five_days),
            Outcome::Crashed(_)
        ));
    }
}
