//! Mail that was in hand when the process died. It may have been the reason.
//!
//! It is left alone a moment, then tried a few at a time; what was in hand at a second death is
//! tried alone. So one message that kills is found, and others are not blamed for it.

use std::collections::VecDeque;
use std::time::Duration;

use mailtypes::Timestamp;
use store::Due;

use crate::limits::{POLL, SUSPECT_PAUSE, SUSPECTS_AT_ONCE};
use crate::route::next_hop::NextHop;

/// Suspects that wait, and how many are being tried.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    waiting: VecDeque<(Timestamp, Suspect)>,
    /// Those that were in hand at two deaths, behind all others.
    alone: VecDeque<(Timestamp, Suspect)>,
    under_way: usize,
}

/// A suspect and its way.
type Suspect = (Due, NextHop, String);

impl Suspects {
    /// One more.
    pub(crate) fn add(&mut self, due: Due, hop: NextHop, reason: String, now: Timestamp) {
        let queue = if due.strikes == 0 {
            &mut self.waiting
        } else {
            &mut self.alone
        };
        queue.push_back((now + SUSPECT_PAUSE, (due, hop, reason)));
    }

    /// The next one to try, when its time has come. It counts until [`Suspects::done`].
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Suspect> {
        let (at, _) = self.line()?.front()?;
        if *at > now {
            return None;
        }
        let (_, suspect) = self.line()?.pop_front()?;
        self.under_way += 1;
        Some(suspect)
    }

    /// Those of whom one may be tried, as far as the others are concerned.
    fn line(&mut self) -> Option<&mut VecDeque<(Timestamp, Suspect)>> {
        if !self.waiting.is_empty() {
            return (self.under_way < SUSPECTS_AT_ONCE).then_some(&mut self.waiting);
        }
        (self.under_way == 0).then_some(&mut self.alone)
    }

    /// One was tried.
    pub(crate) fn done(&mut self) {
        self.under_way -= 1;
    }

    /// How long until the next one may be tried, unless one that is under way has to end first.
    pub(crate) fn next(&mut self, now: Timestamp) -> Duration {
        let front = self.line().and_then(|line| line.front());
        front.map_or(POLL, |(at, _)| at.since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::due;

    const LATER: Timestamp = Timestamp::from_millis(60_000);

    fn add(suspects: &mut Suspects, n: u32, strikes: u32) {
        let due = Due { strikes, ..due(n) };
        let hop = NextHop::mx_of(mailtypes::Domain::parse("one.example").unwrap());
        suspects.add(due, hop, "test".to_owned(), Timestamp::EPOCH);
    }

    fn taken(suspects: &mut Suspects) -> Option<u32> {
        suspects.take(LATER).map(|(due, ..)| due.recipient)
    }

    #[test]
    fn they_are_left_alone_a_moment() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.next(Timestamp::EPOCH), POLL);
        add(&mut suspects, 1, 0);
        assert!(suspects.take(Timestamp::EPOCH).is_none());
        assert_eq!(suspects.next(Timestamp::EPOCH), SUSPECT_PAUSE);
        assert_eq!(taken(&mut suspects), Some(1));
    }

    #[test]
    fn a_few_are_tried_at_a_time_and_those_of_two_deaths_alone() {
        let mut suspects = Suspects::default();
        add(&mut suspects, 100, 1);
        add(&mut suspects, 101, 1);
        let first = u32::try_from(SUSPECTS_AT_ONCE).unwrap();
        for n in 0..=first {
            add(&mut suspects, n, 0);
        }
        for n in 0..first {
            assert_eq!(taken(&mut suspects), Some(n));
        }
        assert_eq!(taken(&mut suspects), None, "enough are under way");
        suspects.done();
        assert_eq!(taken(&mut suspects), Some(first));
        for _ in 0..first {
            assert_eq!(taken(&mut suspects), None, "one must be alone");
            suspects.done();
        }
        assert_eq!(taken(&mut suspects), Some(100));
        assert_eq!(taken(&mut suspects), None);
        suspects.done();
        assert_eq!(taken(&mut suspects), Some(101));
    }
}
