//! Reports that are owed: in which order, in which manner, and when to give up.

use std::collections::BTreeMap;
use std::time::Duration;

use mailtypes::{ItemId, Mailbox, Timestamp};
use store::Due;

use crate::limits::{
    OWED_MAX, OWED_RECIPIENTS_MAX, REPORT_GRIEFS_MAX, REPORT_PAUSE_MAX, REPORT_WAIT_MAX,
};
use crate::patience;
use crate::reports::Manner;

/// Items with recipients that have failed and whose sender has not been told. It is bounded: more
/// of them stay in the store, and are found at a later walk.
#[derive(Debug, Default)]
pub(super) struct Owed {
    debts: BTreeMap<ItemId, Debt>,
    /// The store has more, for which there was no room.
    more: bool,
}

#[derive(Debug)]
struct Debt {
    recipients: BTreeMap<u32, Mailbox>,
    /// When the first of them failed.
    since: Timestamp,
    /// Not to be looked at before.
    until: Timestamp,
    /// It waits for attempts at others to end.
    together: bool,
    /// How often it had to wait, and why at last.
    failures: u32,
    why: String,
    /// How often it has come to grief.
    griefs: u32,
}

impl Owed {
    /// One more recipient.
    pub(super) fn add(&mut self, due: &Due) {
        let is_full = self.debts.len() >= OWED_MAX && !self.debts.contains_key(&due.item);
        if is_full && !self.forget_one() {
            self.more = true;
            return;
        }
        let debt = self.debts.entry(due.item).or_insert_with(|| Debt {
            recipients: BTreeMap::new(),
            since: due.due,
            until: Timestamp::EPOCH,
            together: false,
            failures: 0,
            why: String::new(),
            griefs: 0,
        });
        debt.since = debt.since.min(due.due);
        // Should it be given up, the others are found at a later walk.
        if debt.recipients.len() < OWED_RECIPIENTS_MAX {
            debt.recipients.insert(due.recipient, due.address.clone());
        }
    }

    /// Forgets the one that has to wait longest: it is found again at a later walk, and nothing but
    /// the count of its failures is lost. False when all of them may be tried at once.
    fn forget_one(&mut self) -> bool {
        let waiting = self.debts.iter().filter(|(_, debt)| debt.failures > 0);
        let longest = waiting.max_by_key(|(_, debt)| (debt.griefs == 0, debt.until));
        let Some(item) = longest.map(|(item, _)| *item) else {
            return false;
        };
        self.debts.remove(&item).is_some()
    }

    /// Whether those that found no room may be looked for again; asked once.
    pub(super) fn has_room_again(&mut self) -> bool {
        let has_room = self.more && self.debts.len() < OWED_MAX / 2;
        self.more &= !has_room;
        has_room
    }

    /// The next ones to tell of. What is `in_hand` may fail too, and one report is better than
    /// two; but it is not waited for without end.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        lifetime: Duration,
        max: usize,
        in_hand: impl Fn(ItemId) -> bool,
    ) -> Vec<(ItemId, Manner)> {
        let mut taken = Vec::new();
        for (item, debt) in &mut self.debts {
            if taken.len() >= max {
                break;
            }
            if debt.until > now {
                continue;
            }
            let patient_until = debt.since + REPORT_WAIT_MAX;
            debt.together = now < patient_until && in_hand(*item);
            if debt.together {
                debt.until = patient_until;
                continue;
            }
            taken.push((*item, debt.manner(now, lifetime)));
        }
        taken
    }

    /// Something has fallen out of hand: those that wait for that are looked at again.
    pub(super) fn look_again(&mut self) {
        for debt in self.debts.values_mut().filter(|debt| debt.together) {
            debt.together = false;
            debt.until = Timestamp::EPOCH;
        }
    }

    /// When to look at the next one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.debts.values().map(|debt| debt.until).min()
    }

    /// It is not owed any more.
    pub(super) fn done(&mut self, item: ItemId) {
        self.debts.remove(&item);
    }

    /// It has to wait.
    pub(super) fn failed(&mut self, item: ItemId, why: String, now: Timestamp) {
        if let Some(debt) = self.debts.get_mut(&item) {
            debt.failures += 1;
            debt.why = why;
            debt.until = now + pause(debt.failures);
        }
    }

    /// Whoever wrote it came to grief.
    pub(super) fn came_to_grief(&mut self, item: ItemId, now: Timestamp) {
        if let Some(debt) = self.debts.get_mut(&item) {
            debt.griefs += 1;
            debt.until = now + pause(debt.griefs);
        }
    }
}

impl Debt {
    fn manner(&self, now: Timestamp, lifetime: Duration) -> Manner {
        let all = || self.recipients.clone().into_iter().collect();
        let give_up = |reason| Manner::GiveUp(all(), reason);
        if self.griefs >= REPORT_GRIEFS_MAX {
            return give_up("whoever wrote the report on it came to grief, twice".to_owned());
        }
        if self.failures > 0 && now >= self.since + lifetime {
            return give_up(format!(
                "its sender could not be told in time: {}",
                self.why
            ));
        }
        if self.griefs > 0 {
            return Manner::Bare;
        }
        Manner::Usual
    }
}

/// The pause before the next try.
fn pause(failures: u32) -> Duration {
    patience::doubled(failures, REPORT_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const LIFE: Duration = Duration::from_hours(120);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    /// Two items; the first one has two recipients.
    fn owed() -> (Owed, [ItemId; 2]) {
        let mut owed = Owed::default();
        let one = testing::due(0).item;
        let other = ItemId::generate(Timestamp::EPOCH, 2);
        owed.add(&testing::due(0));
        owed.add(&testing::due(1));
        owed.add(&Due {
            item: other,
            ..testing::due(0)
        });
        (owed, [one, other])
    }

    fn taken(owed: &mut Owed, secs: i64, in_hand: &[ItemId]) -> Vec<(ItemId, Manner)> {
        let mut taken = owed.take(at(secs), LIFE, 10, |item| in_hand.contains(&item));
        taken.sort_by_key(|(item, _)| *item);
        taken
    }

    #[test]
    fn one_that_waits_for_others_keeps_nobody_waiting() {
        let (mut owed, [one, other]) = owed();
        assert_eq!(taken(&mut owed, 0, &[one]), [(other, Manner::Usual)]);
        owed.done(other);
        assert_eq!(
            taken(&mut owed, 1, &[]),
            [],
            "nobody said that something changed"
        );
        owed.look_again();
        assert_eq!(taken(&mut owed, 1, &[one]), []);
        let wait = i64::try_from(REPORT_WAIT_MAX.as_secs()).unwrap();
        assert_eq!(owed.next(), Some(at(wait)));
        assert_eq!(taken(&mut owed, wait, &[one]), [(one, Manner::Usual)]);
        owed.done(one);
        assert_eq!(owed.next(), None);
    }

    #[test]
    fn one_that_cannot_be_sent_waits_longer_and_longer_and_ends() {
        let (mut owed, [one, other]) = owed();
        owed.done(other);
        owed.failed(one, "no way".to_owned(), at(0));
        assert_eq!(taken(&mut owed, 0, &[]), []);
        assert_eq!(taken(&mut owed, 1, &[]), [(one, Manner::Usual)]);
        for _ in 0..40 {
            owed.failed(one, "no way".to_owned(), at(0));
        }
        assert_eq!(owed.next(), Some(Timestamp::EPOCH + REPORT_PAUSE_MAX));
        let life = i64::try_from(LIFE.as_secs()).unwrap();
        assert_eq!(taken(&mut owed, life - 1, &[]), [(one, Manner::Usual)]);
        let reason = "its sender could not be told in time: no way".to_owned();
        let both = [0, 1].map(|n| (n, testing::due(n).address));
        let end = Manner::GiveUp(both.to_vec(), reason);
        assert_eq!(taken(&mut owed, life, &[]), [(one, end)]);
    }

    #[test]
    fn an_old_one_is_tried_before_it_is_given_up() {
        let (mut owed, [one, other]) = owed();
        owed.done(other);
        let life = i64::try_from(LIFE.as_secs()).unwrap();
        assert_eq!(taken(&mut owed, 2 * life, &[]), [(one, Manner::Usual)]);
    }

    #[test]
    fn grief_costs_the_message_first_and_then_the_report() {
        let (mut owed, [one, other]) = owed();
        owed.done(other);
        owed.came_to_grief(one, at(0));
        assert_eq!(taken(&mut owed, 1, &[]), [(one, Manner::Bare)]);
        owed.came_to_grief(one, at(1));
        let taken = taken(&mut owed, 3, &[]);
        assert!(matches!(&taken[..], [(_, Manner::GiveUp(list, _))] if list.len() == 2));
    }

    #[test]
    fn there_are_no_more_than_the_limit() {
        let mut owed = Owed::default();
        for n in 1..=OWED_MAX + 10 {
            let item = ItemId::generate(at(i64::try_from(n).unwrap()), 1);
            owed.add(&Due {
                item,
                ..testing::due(0)
            });
        }
        assert_eq!(owed.debts.len(), OWED_MAX);
        let some = owed.take(at(0), LIFE, 16, |_| false);
        assert_eq!(some.len(), 16);
        assert!(!owed.has_room_again());
        // One that has to wait makes room for one that has not been tried.
        let (one, _) = some[0];
        owed.failed(one, "no way".to_owned(), at(0));
        owed.add(&testing::due(7));
        assert!(!owed.debts.contains_key(&one) && owed.debts.contains_key(&testing::due(7).item));
        let all: Vec<_> = owed.debts.keys().copied().collect();
        all.into_iter().for_each(|item| owed.done(item));
        assert!(owed.has_room_again() && !owed.has_room_again());
    }
}
