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
        let ripe = |queue: &VecDeque<(Timestamp, Suspect)>| {
            queue.front().is_some_and(|(at, _)| *at <= now)
        };
        let queue = if ripe(&self.waiting) && self.under_way < SUSPECTS_AT_ONCE {
            &mut self.waiting
        } else if self.waiting.is_empty() && ripe(&self.alone) && self.under_way == 0 {
            &mut self.alone
        } else {
            return None;
        };
        self.under_way += 1;
        queue.pop_front().map(|(_, suspect)| suspect)
    }

    /// One was tried.
    pub(crate) fn done(&mut self) {
        self.under_way -= 1;
    }

    /// How long until the next one may be tried.
    pub(crate) fn next(&self, now: Timestamp) -> Duration {
        let fronts = [self.waiting.front(), self.alone.front()];
        let times = fronts.into_iter().flatten().map(|(at, _)| at.since(now));
        times.min().unwrap_or(POLL)
    }
}
