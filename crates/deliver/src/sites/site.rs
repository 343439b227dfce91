//! One next hop: the mail that waits for it, and what is known of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::{Status, Timestamp};
use store::Due;
use tokio::sync::Notify;

use super::age::{Age, ByAge};
use super::lines::InLine;
use super::more::More;
use crate::limits::CAP_GROWS_AFTER;
use crate::remote::job::Job;

/// One next hop.
#[derive(Debug, Default)]
pub(crate) struct Site {
    jobs: ByAge<VecDeque<Job>>,
    /// Recipients in `jobs`.
    pub(crate) waiting: ByAge<usize>,
    /// Jobs taken: every so many one of those that are new no more.
    turn: usize,
    pub(crate) workers: usize,
    /// Workers whose last try to connect went well.
    pub(crate) reached: usize,
    /// Workers that stand by, or were hired and will take something in a moment.
    pub(crate) free: usize,
    /// It stands among those that can use a worker.
    pub(crate) is_ready: ByAge<bool>,
    pub(crate) down: Option<Down>,
    /// When somebody last ordered that it be tried at once.
    pub(crate) forgiven: Option<Timestamp>,
    /// Pauses in a row: each is longer than the one before.
    pub(crate) failures: u32,
    /// Visits in a row that reached nobody.
    pub(crate) visits: u32,
    pub(crate) cap: Option<Cap>,
    /// It stands in line for a place at its host.
    pub(crate) in_line: Option<Box<InLine>>,
    pub(crate) more: More,
    /// Wakes workers that stand by, one for each stroke; since one did so first.
    bell: Option<Arc<Notify>>,
}

/// A site that could not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    /// When it was seen.
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
    /// What was seen.
    pub(crate) status: Status,
}

/// A host that has turned a worker away gets no more than those that it has, for a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    pub(crate) most: usize,
    /// Messages handed over since it was set.
    done: u32,
}

impl Site {
    pub(crate) fn add(&mut self, due: Due, reason: &str) {
        let age = Age::of(&due);
        self.waiting[age] += 1;
        // Recipients of one message come one behind the other.
        let left = match self.jobs[age].back_mut() {
            Some(last) => last.join(due),
            None => Some(due),
        };
        if let Some(due) = left {
            self.jobs[age].push_back(Job::new(due, reason.to_owned()));
            self.ring();
        }
    }

    /// What calls a worker that stands by.
    pub(crate) fn bell(&mut self) -> Arc<Notify> {
        Arc::clone(self.bell.get_or_insert_default())
    }

    fn ring(&self) {
        if let Some(bell) = &self.bell {
            bell.notify_one();
        }
    }

    /// Puts a job to the front.
    pub(crate) fn put_back(&mut self, job: Job) {
        let age = job.age();
        self.waiting[age] += job.recipients.len();
        self.jobs[age].push_front(job);
        self.ring();
    }

    /// Takes so many jobs: new ones before the others, of which there are some
    /// among them unless `no_retries`.
    pub(crate) fn take(&mut self, count: usize, no_retries: bool) -> Vec<Job> {
        let mut taken = Vec::new();
        while taken.len() < count {
            self.turn = (self.turn + 1) % RETRY_EVERY;
            let first = if self.turn == 0 {
                Age::Again
            } else {
                Age::Fresh
            };
            let mut ages = [first, first.other()].into_iter();
            let mut ages = ages
                .by_ref()
                .filter(|age| *age == Age::Fresh || !no_retries);
            let Some(job) = ages.find_map(|age| self.jobs[age].pop_front()) else {
                break;
            };
            self.waiting[job.age()] -= job.recipients.len();
            taken.push(job);
        }
        taken
    }

    /// Jobs that wait.
    pub(crate) fn jobs(&self, no_retries: bool) -> usize {
        let again = if no_retries {
            0
        } else {
            self.jobs[Age::Again].len()
        };
        self.jobs[Age::Fresh].len() + again
    }

    /// Whether it can use one more worker for jobs of an age, of whom it may have `per_hop`.
    pub(crate) fn wants_worker(&self, age: Age, per_hop: usize) -> bool {
        !self.jobs[age].is_empty()
            && !self.in_line.as_deref().is_some_and(InLine::waits)
            && self.jobs(false) > self.free
            && self.workers < self.most(per_hop)
    }

    /// While nobody knows whether there is a host at all, one worker goes and looks.
    fn most(&self, per_hop: usize) -> usize {
        if self.reached == 0 {
            return 1;
        }
        self.cap.map_or(per_hop, |cap| cap.most.min(per_hop))
    }

    /// Jobs for one of its workers, so that the others have their part. Whoever goes first leaves
    /// theirs to those that follow when there is a host.
    pub(crate) fn part(&self, per_hop: usize, no_retries: bool) -> usize {
        let hands = if self.reached == 0 {
            per_hop
        } else {
            self.workers
        };
        self.jobs(no_retries).div_ceil(hands.max(1))
    }

    /// A worker was turned away while `others` are connected.
    pub(crate) fn cap(&mut self, others: usize) {
        self.cap = Some(Cap {
            most: others,
            done: 0,
        });
    }

    /// A message was handed over. True when the site may have one worker more now.
    pub(crate) fn grow(&mut self, per_hop: usize) -> bool {
        let Some(cap) = &mut self.cap else {
            return false;
        };
        cap.done += 1;
        if cap.done < CAP_GROWS_AFTER {
            return false;
        }
        cap.most += 1;
        cap.done = 0;
        if cap.most >= per_hop {
            self.cap = None;
        }
        true
    }

    /// Whether nobody works on it, and nothing waits for it.
    pub(crate) fn is_idle(&self) -> bool {
        self.workers == 0 && self.jobs(false) == 0 && self.in_line.is_none() && self.more.is_empty()
    }
}

impl Down {
    /// Whether a recipient waits with the others until the site is tried again. Not when the last
    /// try is as long ago as its own last attempt could be: then it is a try itself.
    pub(crate) fn keeps_back(&self, own_pause: Option<Duration>, now: Timestamp) -> bool {
        now < self.until && own_pause.is_none_or(|pause| now.since(self.since) < pause)
    }

    /// How long: as if the try that failed had been its own; who was never tried, until the pause
    /// ends. All of them come back at one moment: then one try goes for all.
    pub(crate) fn keeps_until(&self, own_pause: Option<Duration>) -> Timestamp {
        own_pause.map_or(self.until, |pause| self.since + pause)
    }
}

/// One of so many jobs is new no more, when there are both.
const RETRY_EVERY: usize = 4;
