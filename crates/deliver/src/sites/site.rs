//! One next hop: the mail that waits for it, and what is known of it.

use std::collections::{BTreeSet, VecDeque};

use mailtypes::{Host, Status, Timestamp};
use store::Due;

use crate::limits::OVERFLOW_DOMAINS_MAX;
use crate::remote::job::Job;

/// One next hop.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) jobs: VecDeque<Job>,
    /// Recipients in `jobs`.
    pub(crate) waiting: usize,
    pub(crate) workers: usize,
    /// Workers that stand by with an open connection.
    pub(crate) idle: usize,
    /// It stands among those that can use a worker.
    pub(crate) is_ready: bool,
    pub(crate) down: Option<Down>,
    /// Failures in a row without a success between them.
    pub(crate) failures: u32,
    /// No more workers than this: a host that has turned one away gets no more at a time.
    pub(crate) cap: Option<usize>,
    pub(crate) more: More,
}

/// A site that could not be reached.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub(crate) until: Timestamp,
    /// What was seen.
    pub(crate) status: Status,
}

/// What the store has for a site beyond what waits here.
#[derive(Debug, Default)]
pub(crate) enum More {
    #[default]
    Nothing,
    Domains(BTreeSet<Host>),
    /// Of too many domains to remember.
    Anything,
}

impl Site {
    pub(crate) fn add(&mut self, due: Due, reason: &str) {
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

    /// Whether it can use one more worker, of whom it may have `most`.
    pub(crate) fn wants_worker(&self, most: usize) -> bool {
        self.jobs.len() > self.idle && self.workers < self.cap.unwrap_or(most).min(most)
    }

    /// Whether it is known to be down.
    pub(crate) fn down_at(&self, now: Timestamp) -> Option<&Down> {
        self.down.as_ref().filter(|down| down.until > now)
    }

    /// Whether there is nothing to remember of it.
    pub(crate) fn says_nothing(&self, now: Timestamp) -> bool {
        self.workers == 0
            && self.jobs.is_empty()
            && matches!(self.more, More::Nothing)
            && self.down_at(now).is_none()
    }
}

impl More {
    pub(crate) fn add(&mut self, host: Host) {
        match self {
            Self::Nothing => *self = Self::Domains(BTreeSet::from([host])),
            Self::Domains(domains) if domains.len() < OVERFLOW_DOMAINS_MAX => {
                domains.insert(host);
            }
            Self::Domains(domains) if domains.contains(&host) => {}
            Self::Domains(_) => *self = Self::Anything,
            Self::Anything => {}
        }
    }
}
