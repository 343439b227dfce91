//! Who gets a worker next.

use super::Sites;
use crate::route::next_hop::NextHop;

impl Sites {
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

    /// Marks a site that can use one more worker.
    pub(super) fn look(&mut self, hop: &NextHop) {
        let most = self.limits.per_hop;
        if let Some(site) = self.sites.get_mut(hop)
            && !site.is_ready
            && site.wants_worker(most)
        {
            site.is_ready = true;
            self.ready.push_back(hop.clone());
        }
    }
}

/// Workers that may begin with a retry: three quarters.
fn retries_max(total: usize) -> usize {
    (total - total / 4).max(1)
}
