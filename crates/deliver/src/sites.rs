//! Next hops with mail for them, and who works on them: the deliverer's memory.
//!
//! It is bounded: what finds no place stays in the store, and the site remembers that there is
//! more. A site that takes its mail slowly fills its own share and nobody else's.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mailtypes::{Host, ItemId, Status, Timestamp};
use store::Due;

use crate::limits::{SITE_REFILL_BELOW, SITE_WAITING_MAX, SITES_MAX, WAITING_LANE_MAX};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

mod hiring;
mod in_hand;
mod site;
#[cfg(test)]
mod tests;

use in_hand::InHand;
pub(crate) use site::Down;
use site::{More, Site};

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
    /// Sites that could use one more worker, each once.
    ready: VecDeque<NextHop>,
    /// Sites of which the store has more.
    overflowing: BTreeSet<NextHop>,
    in_hand: InHand,
    /// Recipients that wait here: first attempts, and others.
    fresh: usize,
    again: usize,
    workers: usize,
    /// Workers that began with a retry: new mail always finds some others.
    retrying: usize,
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

/// Where more mail for a site is to be found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refill {
    /// In the store, under these domains; so many are wanted of each beyond those in hand.
    Domains(Vec<Host>),
    /// Anywhere in the queue: it has to be gone through from its front.
    Everything,
}

impl Sites {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            sites: BTreeMap::new(),
            ready: VecDeque::new(),
            overflowing: BTreeSet::new(),
            in_hand: InHand::default(),
            fresh: 0,
            again: 0,
            workers: 0,
            retrying: 0,
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

    /// Room for first attempts and for others, in recipients.
    pub(crate) fn room(&self) -> (usize, usize) {
        let room = |used: usize| WAITING_LANE_MAX.saturating_sub(used);
        (room(self.fresh), room(self.again))
    }

    /// Whether any recipient of an item is in hand or waits here.
    pub(crate) fn has_any_of(&self, item: ItemId) -> bool {
        self.in_hand.has_any_of(item)
    }

    /// How many recipients are in hand or wait here.
    pub(crate) fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// A recipient for `hop`.
    pub(crate) fn offer(
        &mut self,
        hop: &NextHop,
        due: Due,
        reason: &str,
        now: Timestamp,
    ) -> Offered {
        if self.in_hand.sees_again(&due) {
            return Offered::Taken;
        }
        if !self.sites.contains_key(hop) && self.sites.len() >= SITES_MAX {
            self.forget_idle(now);
        }
        let site = self.sites.entry(hop.clone()).or_default();
        if let Some(down) = site.down_at(now)
            && site.workers == 0
        {
            self.in_hand.take(&due);
            return Offered::Down(Box::new(due), down.clone());
        }
        site.down = None;
        if site.waiting >= SITE_WAITING_MAX {
            site.more.add(due.address.host);
            self.overflowing.insert(hop.clone());
            return Offered::NoRoom;
        }
        *counter(&mut self.fresh, &mut self.again, &due) += 1;
        self.in_hand.take(&due);
        site.add(due, reason);
        self.look(hop);
        Offered::Taken
    }

    /// Jobs for a worker of `hop`: an equal share of what waits, at most `max`.
    pub(crate) fn take(&mut self, hop: &NextHop, max: usize) -> Vec<Job> {
        let Some(site) = self.sites.get_mut(hop) else {
            return Vec::new();
        };
        let share = site.jobs.len().div_ceil(site.workers.max(1)).min(max);
        let jobs: Vec<Job> = site.jobs.drain(..share).collect();
        for due in jobs.iter().flat_map(|job| &job.recipients) {
            site.waiting -= 1;
            *counter(&mut self.fresh, &mut self.again, due) -= 1;
        }
        jobs
    }

    /// Puts a job back to the front of its site: it is to be tried again at once.
    pub(crate) fn put_back(&mut self, hop: &NextHop, job: Job) {
        let site = self.sites.entry(hop.clone()).or_default();
        for due in &job.recipients {
            site.waiting += 1;
            *counter(&mut self.fresh, &mut self.again, due) += 1;
        }
        site.jobs.push_front(job);
        self.look(hop);
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

    /// Somebody was reached there.
    pub(crate) fn up(&mut self, hop: &NextHop) {
        if let Some(site) = self.sites.get_mut(hop) {
            site.failures = 0;
            site.down = None;
        }
    }

    /// Nobody was reached there. While others of us are connected it only means that these are
    /// enough; otherwise the site is down until `until`, told by how often it has failed, and what
    /// waits for it comes back.
    pub(crate) fn failed(
        &mut self,
        hop: &NextHop,
        status: &Status,
        until: impl FnOnce(u32) -> Timestamp,
    ) -> Vec<Job> {
        let Some(site) = self.sites.get_mut(hop) else {
            return Vec::new();
        };
        if site.workers > 1 {
            site.cap = Some(site.workers - 1);
            return Vec::new();
        }
        let down = Down {
            until: until(site.failures),
            status: status.clone(),
        };
        site.failures = site.failures.saturating_add(1);
        site.down = Some(down);
        site.cap = None;
        self.take(hop, usize::MAX)
    }

    /// Every site may be tried at once.
    pub(crate) fn forgive(&mut self) {
        for site in self.sites.values_mut() {
            site.down = None;
            site.failures = 0;
        }
    }

    /// Sites with little left to do here and more in the store.
    pub(crate) fn take_hungry(&mut self) -> Vec<Refill> {
        let mut wanted = Vec::new();
        let sites = &mut self.sites;
        self.overflowing.retain(|hop| {
            let Some(site) = sites.get_mut(hop) else {
                return false;
            };
            if site.waiting >= SITE_REFILL_BELOW {
                return true;
            }
            match std::mem::take(&mut site.more) {
                More::Nothing => {}
                More::Domains(domains) => {
                    wanted.push(Refill::Domains(domains.into_iter().collect()));
                }
                More::Anything => wanted.push(Refill::Everything),
            }
            false
        });
        wanted
    }

    /// Forgets sites that say nothing.
    fn forget_idle(&mut self, now: Timestamp) {
        self.sites.retain(|_, site| !site.says_nothing(now));
    }
}

fn counter<'a>(fresh: &'a mut usize, again: &'a mut usize, due: &Due) -> &'a mut usize {
    if due.attempts == 0 { fresh } else { again }
}
