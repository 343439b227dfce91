//! Next hops that stand in line for a place at a host, where others of us have all that it may get.
//! They have no workers, and their mail waits here for a while.

use std::net::IpAddr;

use mailtypes::{Status, Timestamp};

use super::Sites;
use crate::limits::{CALLED_WAIT, LINE_WAIT, LINES_MAX};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

/// What a next hop stands in line for.
#[derive(Clone, Debug)]
pub(crate) struct InLine {
    ip: IpAddr,
    until: Timestamp,
    /// What its mail is told when nobody calls it.
    status: Status,
    /// It has been called, and workers after this one may come.
    called: Option<u64>,
}

/// Whether a next hop stands in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// From now on.
    Now,
    /// It did so already.
    Already,
    /// There are too many.
    No,
}

/// A next hop that stands in line no more.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) hop: NextHop,
    pub(crate) ip: IpAddr,
    /// Nobody has called it: why its mail waits, and the mail.
    pub(crate) uncalled: Option<(Status, Vec<Job>)>,
}

impl InLine {
    /// Whether it keeps a next hop from having workers.
    pub(super) fn waits(&self) -> bool {
        self.called.is_none()
    }
}

impl Sites {
    /// A next hop has found no place.
    pub(crate) fn stand_in_line(
        &mut self,
        hop: &NextHop,
        ip: IpAddr,
        status: Status,
        now: Timestamp,
    ) -> Stands {
        let site = self.sites.get(hop);
        if site.is_some_and(|site| site.in_line.as_deref().is_some_and(InLine::waits)) {
            return Stands::Already;
        }
        self.leave_line(hop);
        if self.lines.len() >= LINES_MAX {
            return Stands::No;
        }
        let until = now + LINE_WAIT;
        self.lines.insert((until, hop.clone()));
        self.site(hop).in_line = Some(Box::new(InLine {
            ip,
            until,
            status,
            called: None,
        }));
        Stands::Now
    }

    /// A next hop is called: it may have a worker. False when it has no use for the place any more.
    pub(crate) fn called(&mut self, hop: &NextHop, now: Timestamp) -> bool {
        let needs = |site: &super::Site| site.jobs(false) > 0 || !site.more.is_empty();
        if !self.sites.get(hop).is_some_and(needs) {
            self.leave_line(hop);
            self.tidy(hop);
            return false;
        }
        let Some(mut in_line) = self.leave_line(hop) else {
            return false;
        };
        in_line.called = Some(self.last_worker);
        in_line.until = now + CALLED_WAIT;
        self.lines.insert((in_line.until, hop.clone()));
        self.site(hop).in_line = Some(Box::new(in_line));
        self.look(hop);
        true
    }

    /// A worker has gone: the address whose place it was called for.
    pub(super) fn answered(&mut self, hop: &NextHop, worker: u64) -> Option<IpAddr> {
        let in_line = self.sites.get(hop)?.in_line.as_ref()?;
        if in_line.called.is_none_or(|last| worker <= last) {
            return None;
        }
        self.leave_line(hop).map(|in_line| in_line.ip)
    }

    /// The next one whose time in line is over.
    pub(crate) fn next_gone(&mut self, now: Timestamp) -> Option<Gone> {
        let (_, hop) = self.lines.first().filter(|(until, _)| *until <= now)?;
        let hop = hop.clone();
        let in_line = self.leave_line(&hop)?;
        let uncalled = in_line.waits().then(|| {
            let site = self.sites.get_mut(&hop);
            let jobs = site.map_or_else(Vec::new, |site| site.take(usize::MAX, false));
            self.count_out(&jobs);
            (in_line.status, jobs)
        });
        self.look(&hop);
        self.tidy(&hop);
        let ip = in_line.ip;
        Some(Gone { hop, ip, uncalled })
    }

    /// When somebody will have stood in line for too long.
    pub(crate) fn line_ends(&self) -> Option<Timestamp> {
        self.lines.first().map(|(until, _)| *until)
    }

    fn leave_line(&mut self, hop: &NextHop) -> Option<InLine> {
        let in_line = *self.sites.get_mut(hop)?.in_line.take()?;
        self.lines.remove(&(in_line.until, hop.clone()));
        Some(in_line)
    }
}
