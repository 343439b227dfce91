//! What `audit` and `check` found.

use std::time::Duration;

use mailtypes::ItemId;

use crate::limits::{CENSUS_AGES, PROBLEMS_MAX};

/// The books of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Counted from the rows that are still kept, and from daily totals for all time.
    pub totals: Totals,
    /// What does not fit; empty means that the books balance. A long list is cut, and its last line
    /// says how many more there are.
    pub problems: Vec<Problem>,
}

/// Recipients of all time, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Accepted recipients.
    pub accepted: u64,
    /// Delivered.
    pub delivered: u64,
    /// Failed, and the sender was told.
    pub bounced: u64,
    /// Failed, and nobody was told, for a stated reason.
    pub suppressed: u64,
    /// Removed by a person.
    pub removed: u64,
    /// Still open.
    pub open: u64,
}

impl Totals {
    /// Whether every accepted recipient has exactly one end or is open.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.bounced + self.suppressed + self.removed + self.open
    }
}

/// What lies in the queue and in the body log at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Recipients whose turn has come, those in hand included.
    pub due: u64,
    /// Recipients that wait for their next attempt.
    pub deferred: u64,
    /// Recipients that an operator, or a delivery that brings workers down, has stopped.
    pub held: u64,
    /// The age of the oldest message that is due or deferred.
    pub oldest: Option<Duration>,
    /// Recipients due or deferred whose messages are older than each of `limits::CENSUS_AGES`.
    pub older: [u64; CENSUS_AGES.len()],
    /// Octets of the body log.
    pub log_octets: u64,
    /// Those of bodies that something refers to.
    pub live_octets: u64,
}

/// What a reading of the whole body log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Bodies read.
    pub bodies: u64,
    /// Octets read.
    pub octets: u64,
    /// What is damaged. A long list is cut, and its last line says how many more there are.
    pub problems: Vec<Problem>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The item that it touches, if one.
    pub item: Option<ItemId>,
    /// What is wrong, for people.
    pub text: String,
}

/// Gathers problems up to a limit, and counts those beyond it.
#[derive(Default)]
pub(crate) struct Problems {
    listed: Vec<Problem>,
    more: u64,
}

impl Problems {
    pub(crate) fn extend(&mut self, found: impl IntoIterator<Item = Problem>) {
        for problem in found {
            if self.listed.len() < PROBLEMS_MAX {
                self.listed.push(problem);
            } else {
                self.more += 1;
            }
        }
    }

    /// The list; its last line says how many are not listed, if any.
    pub(crate) fn into_list(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let text = format!("and {} more that are not listed", self.more);
            self.listed.push(Problem { item: None, text });
        }
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        for (found, lines, last) in [
            (0, 0, None),
            (PROBLEMS_MAX, PROBLEMS_MAX, Some("wrong")),
            (
                PROBLEMS_MAX + 7,
                PROBLEMS_MAX + 1,
                Some("and 7 more that are not listed"),
            ),
        ] {
            let mut problems = Problems::default();
            let text = "wrong".to_owned();
            problems.extend(std::iter::repeat_n(Problem { item: None, text }, found));
            let list = problems.into_list();
            assert_eq!(list.len(), lines);
            assert_eq!(list.last().map(|problem| problem.text.as_str()), last);
        }
    }
}
