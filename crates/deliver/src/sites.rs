//! Next hops with mail for them, and who works on them: the deliverer's memory.
//!
//! It is bounded: what finds no place stays in the store, and the site remembers from where it goes
//! on ([`more`]). A site that takes its mail slowly fills its own share and nobody else's ([`room`]).
//! One that finds no place at its host stands in line ([`lines`]).
//! Who works where is in [`hiring`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mailtypes::{ItemId, Timestamp};
use store::Due;

use crate::limits::{SITES_MAX, WAITING_LANE_MAX};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

pub(crate) mod age;
mod hiring;
mod in_hand;
mod lines;
mod more;
mod room;
mod site;
#[cfg(test)]
mod tests;

use age::{Age, ByAge};
use hiring::Worker;
pub(crate) use hiring::{Failed, WorkerId};
use in_hand::InHand;
pub(crate) use lines::{Gone, Stands};
pub(crate) use more::Refill;
pub(crate) use site::Down;
use site::Site;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To all hosts together.
    pub total: usize,
    /// To one next hop.
    pub per_hop: usize,
}

/// All sites.
#[derive(Debug)]
pub(crate) struct Sites {
    sites: BTreeMap<NextHop, Site>,
    /// Sites that could use one more worker, for jobs of each age.
    ready: ByAge<VecDeque<NextHop>>,
    /// Sites of which the store has more of an age, and the one that was looked after last.
    overflowing: ByAge<BTreeSet<NextHop>>,
    refilled: ByAge<Option<NextHop>>,
    /// Sites that are remembered for their failures, and until when they are left alone.
    sleeping: BTreeSet<(Timestamp, NextHop)>,
    /// Sites that stand in line, and until when.
    lines: BTreeSet<(Timestamp, NextHop)>,
    in_hand: InHand,
    /// Recipients that wait here.
    waiting: ByAge<usize>,
    workers: BTreeMap<WorkerId, Worker>,
    last_worker: u64,
    /// Workers that work on retries: new mail always finds some others.
    retrying: usize,
    hired_last: Age,
    limits: Limits,
}

/// What became of a recipient that was offered.
#[derive(Debug)]
pub(crate) enum Offered {
    /// It waits for a worker, or does so already.
    Taken,
    /// It stays in the store until there is room.
    NoRoom,
    /// Its site is known to be down. It is in the hand of whoever offered it.
    Down(Box<Due>, Down),
}

impl Sites {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            sites: BTreeMap::new(),
            ready: ByAge::default(),
            overflowing: ByAge::default(),
            refilled: ByAge::default(),
            sleeping: BTreeSet::new(),
            lines: BTreeSet::new(),
            in_hand: InHand::default(),
            waiting: ByAge::default(),
            workers: BTreeMap::new(),
            last_worker: 0,
            retrying: 0,
            hired_last: Age::Again,
            limits,
        }
    }

    /// Other limits from now on; connections that are open stay.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        if self.limits == limits {
            return;
        }
        self.limits = limits;
        let hops: Vec<_> = self.sites.keys().cloned().collect();
        for hop in hops {
            self.look(&hop);
        }
    }

    /// Room for recipients.
    pub(crate) fn room(&self, age: Age) -> usize {
        WAITING_LANE_MAX.saturating_sub(self.waiting[age])
    }

    /// Recipients that wait here.
    pub(crate) fn waiting(&self, age: Age) -> usize {
        self.waiting[age]
    }

    /// Recipients in hand, waiting ones with them.
    pub(crate) fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// Next hops that are known.
    pub(crate) fn len(&self) -> usize {
        self.sites.len()
    }

    /// Next hops that stand in line.
    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Workers that have been hired.
    pub(crate) fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Whether any recipient of an item is in hand or waits here.
    pub(crate) fn has_any_of(&self, item: ItemId) -> bool {
        self.in_hand.has_any_of(item)
    }

    /// Somebody looks into the queue, and will offer what he sees before he says that he has done so.
    pub(crate) fn look_begins(&mut self) {
        self.in_hand.look_begins();
    }

    pub(crate) fn look_ends(&mut self) {
        self.in_hand.look_ends();
    }

    /// A recipient for `hop`. `own_pause` is what its last attempt was followed by.
    pub(crate) fn offer(
        &mut self,
        hop: &NextHop,
        due: Due,
        reason: &str,
        own_pause: Option<Duration>,
        now: Timestamp,
    ) -> Offered {
        if self.in_hand.sees_again(&due) {
            return Offered::Taken;
        }
        let age = Age::of(&due);
        let used = self.waiting[age];
        let site = self.site(hop);
        if let Some(down) = &site.down
            && down.keeps_back(own_pause, now)
        {
            let down = down.clone();
            self.in_hand.take(&due);
            return Offered::Down(Box::new(due), down);
        }
        if site.waiting[age] >= room::share(used - site.waiting[age]) {
            site.more.add(&due);
            self.overflowing[age].insert(hop.clone());
            return Offered::NoRoom;
        }
        self.in_hand.take(&due);
        self.waiting[age] += 1;
        self.site(hop).add(due, reason);
        self.look(hop);
        Offered::Taken
    }

    /// Puts a job back to the front of its site: it is to be tried again at once.
    pub(crate) fn put_back(&mut self, hop: &NextHop, job: Job) {
        self.waiting[job.age()] += job.recipients.len();
        self.site(hop).put_back(job);
        self.look(hop);
    }

    /// Recipients go back to the queue as they are.
    pub(crate) fn give_back<'a>(&mut self, recipients: impl Iterator<Item = &'a Due>) {
        self.in_hand.give_back(recipients);
    }

    /// Recipients are in nobody's hand any more. True when one of them was due anew meanwhile and
    /// passed over: the queue has to be gone through once more.
    #[must_use]
    pub(crate) fn release<'a>(&mut self, recipients: impl Iterator<Item = &'a Due>) -> bool {
        self.in_hand.release(recipients)
    }

    /// Takes a recipient in hand that goes to no site.
    pub(crate) fn hold(&mut self, due: &Due) -> bool {
        if self.in_hand.sees_again(due) {
            return false;
        }
        self.in_hand.take(due);
        true
    }

    /// How many visits in a row have reached nobody at a next hop.
    pub(crate) fn visits(&self, hop: &NextHop) -> u32 {
        self.sites.get(hop).map_or(0, |site| site.visits)
    }

    /// Sites may be tried at once: those that are chosen. What began before `now` and fails tells nothing
    /// of them any more.
    pub(crate) fn forgive(&mut self, now: Timestamp, is_chosen: impl Fn(&NextHop) -> bool) {
        for (hop, site) in self.sites.iter_mut().filter(|(hop, _)| is_chosen(hop)) {
            site.failures = 0;
            site.forgiven = Some(now);
            if let Some(down) = &mut site.down {
                self.sleeping.remove(&(down.until, hop.clone()));
                down.until = down.since;
                self.sleeping.insert((down.until, hop.clone()));
            }
        }
    }

    /// A site is down from now on, or no more.
    fn sleep(&mut self, hop: &NextHop, down: Option<Down>) {
        let Some(site) = self.sites.get_mut(hop) else {
            return;
        };
        let before = std::mem::replace(&mut site.down, down);
        if let Some(before) = before {
            self.sleeping.remove(&(before.until, hop.clone()));
        }
        if let Some(down) = &site.down {
            self.sleeping.insert((down.until, hop.clone()));
        }
    }

    /// The site of a next hop. There are more than so many only while mail waits for all of them.
    fn site(&mut self, hop: &NextHop) -> &mut Site {
        if self.sites.len() >= SITES_MAX && !self.sites.contains_key(hop) {
            // The one that will be tried next anyway. Ends: each turn takes one out.
            while let Some((_, old)) = self.sleeping.pop_first() {
                if self.sites.get(&old).is_some_and(Site::is_idle) {
                    self.sites.remove(&old);
                    break;
                }
            }
        }
        self.sites.entry(hop.clone()).or_default()
    }

    /// Forgets a site with nothing to do, unless it is remembered for its failures.
    fn tidy(&mut self, hop: &NextHop) {
        let Some(site) = self.sites.get(hop).filter(|site| site.is_idle()) else {
            return;
        };
        match &site.down {
            Some(down) => drop(self.sleeping.insert((down.until, hop.clone()))),
            None => drop(self.sites.remove(hop)),
        }
    }

    /// All that waits, when nobody will work on it any more.
    pub(crate) fn drain(&mut self) -> Vec<Job> {
        self.waiting = ByAge::default();
        let sites = self.sites.values_mut();
        sites
            .flat_map(|site| site.take(usize::MAX, false))
            .collect()
    }

    /// Jobs wait here no more.
    fn count_out(&mut self, jobs: &[Job]) {
        for job in jobs {
            self.waiting[job.age()] -= job.recipients.len();
        }
    }
}
