//! Next hops with mail for them, and who works on them: the deliverer's memory.
//!
//! It is bounded: what finds no place stays in the store, and the site remembers that there is
//! more. A site that takes its mail slowly fills its own share and nobody else's.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use mailtypes::{Host, ItemId, Status, Timestamp};
use store::Due;

use crate::limits::{
    OVERFLOW_DOMAINS_MAX, SITE_REFILL_BELOW, SITE_WAITING_MAX, SITES_MAX, WAITING_LANE_MAX,
};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

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
    sites: HashMap<NextHop, Site>,
    /// Sites that could use one more worker, each once.
    ready: VecDeque<NextHop>,
    in_hand: BTreeMap<(ItemId, u32), InHand>,
    /// Recipients that wait here: first attempts, and others.
    fresh: usize,
    again: usize,
    workers: usize,
    /// Workers that began with a retry: new mail always finds some others.
    retrying: usize,
    limits: Limits,
}

/// One next hop.
#[derive(Debug, Default)]
struct Site {
    jobs: VecDeque<Job>,
    /// Recipients in `jobs`.
    waiting: usize,
    workers: usize,
    /// Workers that stand by with an open connection.
    idle: usize,
    is_ready: bool,
    down: Option<Down>,
    /// Failures in a row without a success between them.
    failures: u32,
    /// No more workers than this: a host that has turned one away gets no more at a time.
    cap: Option<usize>,
    more: More,
}

/// A recipient that somebody works on, or that waits here.
#[derive(Debug)]
struct InHand {
    /// Since when it was due when it was taken.
    due: Timestamp,
    /// It was due anew, and passed over.
    missed: bool,
}

impl InHand {
    fn from(due: &Due) -> Self {
        Self {
            due: due.due,
            missed: false,
        }
    }
}

/// What the store has for a site beyond what waits here.
#[derive(Debug, Default)]
enum More {
    #[default]
    Nothing,
    Domains(HashSet<Host>),
    /// Of too many domains to remember.
    Anything,
}

/// A site that could not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub(crate) until: Timestamp,
    /// What was seen.
    pub(crate) status: Status,
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
            sites: HashMap::new(),
            ready: VecDeque::new(),
            in_hand: BTreeMap::new(),
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
        self.in_hand
            .range((item, 0)..=(item, u32::MAX))
            .next()
            .is_some()
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
        if self.sees_again(&due) {
            return Offered::Taken;
        }
        if !self.sites.contains_key(hop) && self.sites.len() >= SITES_MAX {
            self.forget_idle(now);
        }
        let site = self.sites.entry(hop.clone()).or_default();
        if let Some(down) = site.down.clone() {
            if down.until > now && site.workers == 0 {
                self.in_hand.insert(key(&due), InHand::from(&due));
                return Offered::Down(Box::new(due), down);
            }
            site.down = None;
        }
        if site.waiting >= SITE_WAITING_MAX {
            site.more.add(due.address.host);
            return Offered::NoRoom;
        }
        *counter(&mut self.fresh, &mut self.again, &due) += 1;
        self.in_hand.insert(key(&due), InHand::from(&due));
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
        let mut missed = false;
        for due in recipients {
            missed |= self.in_hand.remove(&key(due)).is_some_and(|it| it.missed);
        }
        missed
    }

    /// Takes a recipient in hand that goes to no site.
    pub(crate) fn hold(&mut self, due: &Due) -> bool {
        if self.sees_again(due) {
            return false;
        }
        self.in_hand.insert(key(due), InHand::from(due));
        true
    }

    /// Whether a recipient is in hand; notes when it has become due anew.
    fn sees_again(&mut self, due: &Due) -> bool {
        match self.in_hand.entry(key(due)) {
            Entry::Vacant(_) => false,
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.missed |= known.due != due.due;
                true
            }
        }
    }

    /// The next site that gets a worker, and whether it begins with a retry. The worker counts
    /// until [`Sites::leave`].
    pub(crate) fn hire(&mut self) -> Option<(NextHop, bool)> {
        if self.workers >= self.limits.total {
            return None;
        }
        for _ in 0..self.ready.len() {
            let hop = self.ready.pop_front()?;
            let Some(site) = self.sites.get_mut(&hop) else {
                continue;
            };
            site.is_ready = false;
            let Some(first) = site.jobs.front() else {
                continue;
            };
            let retry = first.is_retry();
            if retry && self.retrying >= retries_max(self.limits.total) {
                site.is_ready = true;
                self.ready.push_back(hop);
                continue;
            }
            site.workers += 1;
            self.workers += 1;
            self.retrying += usize::from(retry);
            self.look(&hop);
            return Some((hop, retry));
        }
        None
    }

    /// A worker has gone.
    pub(crate) fn leave(&mut self, hop: &NextHop, retry: bool) {
        self.workers -= 1;
        self.retrying -= usize::from(retry);
        if let Some(site) = self.sites.get_mut(hop) {
            site.workers -= 1;
        }
        self.look(hop);
    }

    /// A worker stands by, or works again.
    pub(crate) fn stand_by(&mut self, hop: &NextHop, idle: bool) {
        if let Some(site) = self.sites.get_mut(hop) {
            if idle {
                site.idle += 1;
            } else {
                site.idle -= 1;
            }
        }
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
        let hungry = self
            .sites
            .values_mut()
            .filter(|site| site.waiting < SITE_REFILL_BELOW);
        hungry
            .filter_map(|site| match std::mem::take(&mut site.more) {
                More::Nothing => None,
                More::Domains(domains) => Some(Refill::Domains(domains.into_iter().collect())),
                More::Anything => Some(Refill::Everything),
            })
            .collect()
    }

    /// Marks a site that can use one more worker.
    fn look(&mut self, hop: &NextHop) {
        let per_hop = self.limits.per_hop;
        if let Some(site) = self.sites.get_mut(hop)
            && !site.is_ready
            && site.jobs.len() > site.idle
            && site.workers < site.cap.unwrap_or(per_hop).min(per_hop)
        {
            site.is_ready = true;
            self.ready.push_back(hop.clone());
        }
    }

    /// Forgets sites that say nothing.
    fn forget_idle(&mut self, now: Timestamp) {
        self.sites.retain(|_, site| {
            site.workers > 0
                || !site.jobs.is_empty()
                || !matches!(site.more, More::Nothing)
                || site.down.as_ref().is_some_and(|down| down.until > now)
        });
    }
}

impl Site {
    fn add(&mut self, due: Due, reason: &str) {
        self.waiting += 1;
        // Recipients of one message come one behind the other.
        let left = match self.jobs.back_mut() {
            Some(last) => last.join(due),
            None => Some(due),
        };
        if let Some(due) = left {
            self.jobs.push_back(Job::new(due, reason.to_owned()));
        }
    }
}

impl More {
    fn add(&mut self, host: Host) {
        match self {
            Self::Nothing => *self = Self::Domains(HashSet::from([host])),
            Self::Domains(domains) if domains.len() < OVERFLOW_DOMAINS_MAX => {
                domains.insert(host);
            }
            Self::Domains(domains) if domains.contains(&host) => {}
            Self::Domains(_) => *self = Self::Anything,
            Self::Anything => {}
        }
    }
}

fn counter<'a>(fresh: &'a mut usize, again: &'a mut usize, due: &Due) -> &'a mut usize {
    if due.attempts == 0 { fresh } else { again }
}

fn key(due: &Due) -> (ItemId, u32) {
    (due.item, due.recipient)
}

/// Workers that may begin with a retry: three quarters.
fn retries_max(total: usize) -> usize {
    (total - total / 4).max(1)
}
