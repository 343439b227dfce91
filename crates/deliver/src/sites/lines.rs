//! Next hops that stand in line for a place at a host, where others of us have all that it may get.
//! They have no workers, and their mail waits here for a while.

use std::net::IpAddr;

use mailtypes::{Status, Timestamp};

use super::Sites;
use crate::limits::{LINE_WAIT, LINES_MAX};
use crate::remote::job::Job;
use crate::route::next_hop::NextHop;

/// What a next hop stands in line for.
#[derive(Clone, Debug)]
pub(crate) struct InLine {
    pub(crate) ip: IpAddr,
    until: Timestamp,
    /// What its mail is told when nobody calls it.
    pub(crate) status: Status,
}

impl Sites {
    /// A next hop stands in line from now on. False when there are too many.
    pub(crate) fn stand_in_line(
        &mut self,
        hop: &NextHop,
        ip: IpAddr,
        status: Status,
        now: Timestamp,
    ) -> bool {
        if self.lines.len() >= LINES_MAX {
            return false;
        }
        let until = now + LINE_WAIT;
        self.lines.insert((until, hop.clone()));
        self.site(hop).in_line = Some(InLine { ip, until, status });
        true
    }

    /// A next hop is called. False when it has no use for the place any more.
    pub(crate) fn called(&mut self, hop: &NextHop) -> bool {
        let Some(site) = self.sites.get_mut(hop) else {
            return false;
        };
        let Some(in_line) = site.in_line.take() else {
            return false;
        };
        self.lines.remove(&(in_line.until, hop.clone()));
        self.look(hop);
        true
    }

    /// The next one that nobody has called for too long, and what waits for it.
    pub(crate) fn next_uncalled(&mut self, now: Timestamp) -> Option<(NextHop, InLine, Vec<Job>)> {
        let (until, _) = self.lines.first()?;
        if *until > now {
            return None;
        }
        let (_, hop) = self.lines.pop_first()?;
        let site = self.sites.get_mut(&hop)?;
        let in_line = site.in_line.take()?;
        let jobs = site.take(usize::MAX, false);
        self.count_out(&jobs);
        self.look(&hop);
        self.tidy(&hop);
        Some((hop, in_line, jobs))
    }

    /// When somebody will have stood in line for too long.
    pub(crate) fn line_ends(&self) -> Option<Timestamp> {
        self.lines.first().map(|(until, _)| *until)
    }
}
