//! What the store has for a next hop beyond what waits in memory, and from where it goes on.
//!
//! A place is kept for each domain: in front of it nothing is left that nobody cares for. It goes
//! on when a page was taken, and back to a recipient that found no room.

use std::collections::VecDeque;
use std::ops::Bound;

use mailtypes::Host;
use store::{Cursor, Due};

use super::age::{Age, ByAge};
use super::room::{is_hungry, share};
use super::{NextHop, Sites};
use crate::limits::{OVERFLOW_DOMAINS_MAX, REFILL_MIN, WAITING_LANE_MAX, WINDOW};

/// Where there is more.
#[derive(Debug, Default)]
pub(crate) struct More(ByAge<VecDeque<Place>>);

/// Under a domain, or anywhere in the lane: of too many domains to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    domain: Option<Host>,
    after: Cursor,
}

/// Where more mail for a site is to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refill {
    pub(crate) hop: NextHop,
    pub(crate) age: Age,
    /// `None`: the whole lane is gone through.
    pub(crate) domain: Option<Host>,
    pub(crate) after: Cursor,
    /// How much to read.
    pub(crate) limit: usize,
}

impl More {
    pub(crate) fn is_empty(&self) -> bool {
        Age::ALL.iter().all(|age| self.0[*age].is_empty())
    }

    /// A recipient has found no room.
    pub(crate) fn add(&mut self, due: &Due) {
        let places = &mut self.0[Age::of(due)];
        let before = Cursor::before(due);
        let host = &due.address.host;
        let known = places
            .iter_mut()
            .find(|place| place.domain.as_ref().is_none_or(|domain| domain == host));
        if let Some(place) = known {
            place.after = place.after.min(before);
        } else if places.len() < OVERFLOW_DOMAINS_MAX {
            places.push_back(Place {
                domain: Some(host.clone()),
                after: before,
            });
        } else {
            let first = places.iter().map(|place| place.after).min();
            *places = VecDeque::from([Place {
                domain: None,
                after: first.map_or(before, |first| first.min(before)),
            }]);
        }
    }

    /// The place that was read has been gone through up to `next`, or to its end.
    fn went_on(&mut self, refill: &Refill, next: Option<Cursor>) {
        let places = &mut self.0[refill.age];
        let Some(at) = places
            .iter()
            .position(|place| place.domain == refill.domain)
        else {
            return;
        };
        let Some(mut place) = places.remove(at) else {
            return;
        };
        if let Some(next) = next {
            place.after = next;
            // The others come first now.
            places.push_back(place);
        }
    }
}

impl Sites {
    /// The next site with little left of an age to do here and more in the store. It stays noted until
    /// [`Sites::went_on`] says what came of it.
    pub(crate) fn next_refill(&mut self, age: Age) -> Option<Refill> {
        if self.waiting[age] >= WAITING_LANE_MAX {
            return None;
        }
        let sites = &self.overflowing[age];
        let last = self.refilled[age].as_ref();
        let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
        let before = last.map(|last| sites.range(..=last));
        let behind = sites.range((behind, Bound::Unbounded));
        let mut all = behind.chain(before.into_iter().flatten());
        let refill = all.find_map(|hop| self.refill_of(hop, age))?;
        self.refilled[age] = Some(refill.hop.clone());
        Some(refill)
    }

    fn refill_of(&self, hop: &NextHop, age: Age) -> Option<Refill> {
        let site = self.sites.get(hop)?;
        let place = site.more.0[age].front()?;
        let own = site.waiting[age];
        let share = share(self.waiting[age] - own);
        is_hungry(own, share).then(|| Refill {
            hop: hop.clone(),
            age,
            domain: place.domain.clone(),
            after: place.after,
            limit: (share - own).clamp(REFILL_MIN, WINDOW),
        })
    }

    /// A site has got what there was room for: there is more behind `next`, or nothing.
    pub(crate) fn went_on(&mut self, refill: &Refill, next: Option<Cursor>) {
        let Some(site) = self.sites.get_mut(&refill.hop) else {
            return;
        };
        site.more.went_on(refill, next);
        if site.more.0[refill.age].is_empty() {
            self.overflowing[refill.age].remove(&refill.hop);
            self.tidy(&refill.hop);
        }
    }
}
