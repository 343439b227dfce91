//! Who gets a worker next, and what the workers have found.

use std::net::IpAddr;
use std::sync::Arc;

use mailtypes::{Status, Timestamp};
use tokio::sync::Notify;

use super::age::Age;
use super::{Down, Sites};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

/// One of the workers, from [`Sites::hire`] to [`Sites::leave`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WorkerId(u64);

/// What is known of a worker.
#[derive(Debug)]
pub(super) struct Worker {
    hop: NextHop,
    /// It works on something that is new no more.
    retries: bool,
    /// It was connected the last time that it tried.
    reached: bool,
    hands: Hands,
}

/// Whether a worker has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hands {
    /// It was hired, and will take something in a moment.
    Coming,
    Busy,
    /// It stands by with an open connection.
    Idle,
}

/// What it means that nobody was reached.
#[derive(Debug)]
pub(crate) enum Failed {
    /// Others of us are connected: these are enough, and the mail is theirs.
    Enough,
    /// The site is down. This is what waited for it.
    Down(Vec<Job>),
}

impl Sites {
    /// The next site that gets a worker.
    pub(crate) fn hire(&mut self) -> Option<(WorkerId, NextHop)> {
        if self.workers.len() >= self.limits.total {
            return None;
        }
        let first = self.hired_last.other();
        [first, first.other()]
            .into_iter()
            .find_map(|age| self.hire_for(age))
    }

    fn hire_for(&mut self, age: Age) -> Option<(WorkerId, NextHop)> {
        let retries = age == Age::Again;
        if retries && self.retries_are_enough() {
            return None;
        }
        let per_hop = self.limits.per_hop;
        // Each turn takes one out.
        while let Some(hop) = self.ready[age].pop_front() {
            let Some(site) = self.sites.get_mut(&hop) else {
                continue;
            };
            site.is_ready[age] = false;
            if !site.wants_worker(age, per_hop) {
                continue;
            }
            site.workers += 1;
            site.free += 1;
            self.retrying += usize::from(retries);
            self.hired_last = age;
            self.last_worker += 1;
            let id = WorkerId(self.last_worker);
            let worker = Worker {
                hop: hop.clone(),
                retries,
                reached: false,
                hands: Hands::Coming,
            };
            self.workers.insert(id, worker);
            self.look(&hop);
            return Some((id, hop));
        }
        None
    }

    /// Jobs for a worker: its part of what waits, at most `max`.
    pub(crate) fn take(&mut self, id: WorkerId, max: usize) -> Vec<Job> {
        let enough = self.retries_are_enough();
        let Some(worker) = self.workers.get_mut(&id) else {
            return Vec::new();
        };
        let Some(site) = self.sites.get_mut(&worker.hop) else {
            return Vec::new();
        };
        if worker.hands == Hands::Coming {
            site.free -= 1;
            worker.hands = Hands::Busy;
        }
        let no_retries = enough && !worker.retries;
        let part = site.part(self.limits.per_hop, no_retries).min(max);
        let jobs = site.take(part, no_retries);
        let retries = jobs.iter().any(|job| job.age() == Age::Again);
        self.retrying -= usize::from(worker.retries);
        self.retrying += usize::from(retries);
        worker.retries = retries;
        self.count_out(&jobs);
        jobs
    }

    /// A worker has gone. Answers the address that keeps a place for it, if one does.
    pub(crate) fn leave(&mut self, id: WorkerId) -> Option<IpAddr> {
        let worker = self.workers.remove(&id)?;
        self.retrying -= usize::from(worker.retries);
        if let Some(site) = self.sites.get_mut(&worker.hop) {
            site.workers -= 1;
            site.reached -= usize::from(worker.reached);
            site.free -= usize::from(worker.hands != Hands::Busy);
            if site.workers == 0 {
                site.cap = None;
            }
        }
        let kept = self.answered(&worker.hop, id.0);
        self.look(&worker.hop);
        self.tidy(&worker.hop);
        kept
    }

    /// A worker stands by, or works again. Answers what calls it.
    pub(crate) fn stand_by(&mut self, id: WorkerId, idle: bool) -> Option<Arc<Notify>> {
        let worker = self.workers.get_mut(&id)?;
        let hop = worker.hop.clone();
        let site = self.sites.get_mut(&hop)?;
        site.free -= usize::from(worker.hands != Hands::Busy);
        site.free += usize::from(idle);
        worker.hands = if idle { Hands::Idle } else { Hands::Busy };
        let bell = site.bell();
        // What counted on this one may need another.
        self.look(&hop);
        Some(bell)
    }

    /// Somebody was reached, by a worker or by one that is watched. True when the site may have
    /// more workers now.
    pub(crate) fn reached(&mut self, hop: &NextHop, id: Option<WorkerId>) -> bool {
        let first = self.connected(id, true) == 0;
        if let Some(site) = self.sites.get_mut(hop) {
            site.failures = 0;
            site.visits = 0;
            self.sleep(hop, None);
        }
        self.look(hop);
        first
    }

    /// Nobody was reached by a worker, or one that is watched, that began to try at `began`. The
    /// site is then left alone until `until`, told by how often it has failed: unless others of us
    /// are connected.
    pub(crate) fn failed(
        &mut self,
        hop: &NextHop,
        id: Option<WorkerId>,
        status: &Status,
        (began, now): (Timestamp, Timestamp),
        until: impl FnOnce(u32) -> Timestamp,
    ) -> Failed {
        let failed = self.turned_away(hop, id, true);
        let Some(site) = self.sites.get_mut(hop) else {
            return failed;
        };
        if matches!(failed, Failed::Enough) {
            return failed;
        }
        // Whoever was on the way when another one failed has seen the same failure.
        let is_known = site.down.as_ref().is_some_and(|down| began <= down.since);
        let is_forgiven = site.forgiven.is_some_and(|at| began < at);
        if !is_known && !is_forgiven {
            site.visits = site.visits.saturating_add(1);
            let until = match &site.down {
                // A retry in the middle of a pause does not make it longer.
                Some(before) if now < before.until => before.until,
                _ => {
                    let until = until(site.failures);
                    site.failures = site.failures.saturating_add(1);
                    until
                }
            };
            let down = Down {
                since: now,
                until,
                status: status.clone(),
            };
            self.sleep(hop, Some(down));
        }
        failed
    }

    /// A worker got no connection, for a reason that says nothing of the hosts there. When no other
    /// one is connected either, `all` that waits has the same fate.
    pub(crate) fn turned_away(&mut self, hop: &NextHop, id: Option<WorkerId>, all: bool) -> Failed {
        self.connected(id, false);
        let Some(site) = self.sites.get_mut(hop) else {
            return Failed::Down(Vec::new());
        };
        if site.reached > 0 {
            site.cap(site.reached);
            return Failed::Enough;
        }
        let jobs = site.take(if all { usize::MAX } else { 0 }, false);
        self.count_out(&jobs);
        Failed::Down(jobs)
    }

    /// A message was handed over. True when the site may have one worker more now.
    pub(crate) fn handed_over(&mut self, hop: &NextHop) -> bool {
        let per_hop = self.limits.per_hop;
        let grows = self
            .sites
            .get_mut(hop)
            .is_some_and(|site| site.grow(per_hop));
        if grows {
            self.look(hop);
        }
        grows
    }

    /// Notes whether a worker was connected; answers how many at its site were before.
    fn connected(&mut self, id: Option<WorkerId>, reached: bool) -> usize {
        let Some(worker) = id.and_then(|id| self.workers.get_mut(&id)) else {
            return 0;
        };
        let Some(site) = self.sites.get_mut(&worker.hop) else {
            return 0;
        };
        let before = site.reached;
        site.reached -= usize::from(worker.reached);
        site.reached += usize::from(reached);
        worker.reached = reached;
        before
    }

    /// Marks a site that can use one more worker.
    pub(super) fn look(&mut self, hop: &NextHop) {
        let per_hop = self.limits.per_hop;
        let Some(site) = self.sites.get_mut(hop) else {
            return;
        };
        for age in Age::ALL {
            if !site.is_ready[age] && site.wants_worker(age, per_hop) {
                site.is_ready[age] = true;
                self.ready[age].push_back(hop.clone());
            }
        }
    }

    /// Whether no more workers may work on what is new no more: new mail always finds some.
    fn retries_are_enough(&self) -> bool {
        self.retrying >= retries_max(self.limits.total)
    }
}

/// Three quarters; all but one of a few; the only one there is.
pub(super) fn retries_max(total: usize) -> usize {
    (total - (total / 4).max(1).min(total)).max(1)
}
