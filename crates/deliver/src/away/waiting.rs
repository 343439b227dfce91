//! Mail that waits in memory without a worker.

use mailtypes::{EnhancedCode, Status, Timestamp};
use net::Dial;
use net::dns::Dns;
use store::Store;

use super::Away;
use crate::limits::LINE_PAUSE;
use crate::sites::Gone;

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    /// There are places for next hops that stood in line.
    pub(super) fn call_next(&self, now: Timestamp) {
        for (ip, hop) in self.shared.addresses.called() {
            if !self.shared.sites().called(&hop, now) {
                self.shared.addresses.leave_line(ip, &hop);
            }
        }
    }

    /// Those that have not come when they were called leave their place to the next one; the mail of
    /// those that were not called in time makes room for others.
    pub(super) async fn clear_lines(&self, now: Timestamp) {
        loop {
            let Some(Gone { hop, ip, uncalled }) = self.shared.sites().next_gone(now) else {
                return;
            };
            self.shared.addresses.leave_line(ip, &hop);
            let Some((status, jobs)) = uncalled else {
                continue;
            };
            let recipients = jobs.into_iter().flat_map(|job| job.recipients);
            let until = now + LINE_PAUSE;
            self.shared.postpone(recipients, &status, until).await;
        }
    }

    /// What was begun and put back is in nobody's hand: a start must not take it for interrupted.
    pub(super) async fn give_up_begun(&self) {
        let jobs = self.shared.sites().drain();
        let status = Status::new(
            EnhancedCode::new(4, 3, 2),
            "the server stopped before it was tried",
        );
        let now = self.shared.clock.now();
        for job in jobs {
            if job.begun {
                self.shared.postpone(job.recipients, &status, now).await;
            } else {
                self.shared.let_go(job.recipients.iter());
            }
        }
    }
}
