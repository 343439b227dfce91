//! What becomes of the mail when no host could be reached.
//!
//! It says nothing of a message, so all that wait have the same fate, whichever of them went and
//! looked. Hosts that refuse the session, with whatever code, put all of it off, and what they said
//! is what the report at the end of its time tells; only where each host says that it takes no mail
//! at all (RFC 7504) all of it fails.

use std::net::IpAddr;
use std::sync::Arc;

use mailtypes::{Status, Timestamp};
use net::Dial;
use net::dns::Dns;
use store::Store;

use super::Handover;
use crate::limits::NO_LINE_PAUSE;
use crate::outcome::Ending;
use crate::remote::job::Job;
use crate::remote::reach::{Nobody, Whose};
use crate::remote::trail::Trail;
use crate::sites::{Failed, Stands};

impl<S: Store, R: Dns, D: Dial> Handover<S, R, D> {
    /// No host could be reached for a job: that goes for all that the worker has taken, and unless
    /// others are connected for all that waits for this next hop.
    pub(super) async fn nobody(
        &mut self,
        job: Job,
        nobody: &Nobody,
        began: Timestamp,
        trail: &Trail,
    ) {
        if let Whose::Crowded(ip) = nobody.whose {
            return self.crowded(job, ip, nobody, trail).await;
        }
        let waiting = match self.site_failed(nobody, began) {
            Failed::Down(waiting) => waiting,
            Failed::Enough => return self.all_again(job, trail).await,
        };
        let status = nobody.status.clone();
        if nobody.whose == Whose::Home {
            // It is looked at once more, and goes another way.
            self.bag.put(waiting);
            return self.postpone(job, &status, self.shared.clock.now()).await;
        }
        let ending = if status.code.class == 5 {
            Ending::Never(status)
        } else {
            Ending::Later(status)
        };
        self.shared.tell_all(&job.recipients, &ending, trail).await;
        let mut trail = trail.clone();
        while let Some(job) = self.bag.next() {
            trail.go_on_with(&job);
            self.shared.tell_all(&job.recipients, &ending, &trail).await;
        }
        self.bag.put(waiting);
        while let Some(job) = self.bag.next() {
            let mut short = Trail::new(self.hop.to_string(), job.reason.clone());
            short.began = trail.began;
            short.blamed.clone_from(&trail.blamed);
            self.shared.tell_all(&job.recipients, &ending, &short).await;
        }
    }

    /// Others of us have all connections that the host may get: the next hop stands in line, and so
    /// does its mail.
    async fn crowded(&mut self, job: Job, ip: IpAddr, nobody: &Nobody, trail: &Trail) {
        let shared = Arc::clone(&self.shared);
        let now = shared.clock.now();
        let connected = matches!(
            shared.sites().turned_away(&self.hop, self.id, false),
            Failed::Enough
        );
        // Whoever is watched is nobody of the site.
        let stands = match self.id {
            None => Stands::No,
            Some(_) if connected => Stands::Already,
            Some(_) => {
                let status = nobody.status.clone();
                shared.sites().stand_in_line(&self.hop, ip, status, now)
            }
        };
        if stands != Stands::No {
            self.all_again(job, trail).await;
            if stands == Stands::Now {
                shared.addresses.queue_up(ip, self.hop.clone());
            }
            return;
        }
        let until = now + NO_LINE_PAUSE;
        self.postpone(job, &nobody.status, until).await;
    }

    /// Nobody was asked about a job, nor about the others that the worker has.
    async fn postpone(&mut self, job: Job, status: &Status, until: Timestamp) {
        let mut next = Some(job);
        while let Some(job) = next {
            self.shared.postpone(job.recipients, status, until).await;
            next = self.bag.next();
        }
    }

    /// All that the worker has goes to whoever comes next, in its order.
    async fn all_again(&mut self, job: Job, trail: &Trail) {
        let mut jobs = self.bag.give_up();
        jobs.insert(0, job);
        for job in jobs.into_iter().rev() {
            self.again(job, trail).await;
        }
    }

    fn site_failed(&self, nobody: &Nobody, began: Timestamp) -> Failed {
        let (hop, id) = (&self.hop, self.id);
        let turned_away = |all| self.shared.sites().turned_away(hop, id, all);
        let failed = match nobody.whose {
            Whose::Theirs => self.shared.site_failed(hop, id, &nobody.status, began),
            Whose::Dns | Whose::Home => turned_away(true),
            Whose::Ours | Whose::Crowded(_) => turned_away(false),
        };
        match failed {
            // Whoever is watched gives his job to nobody.
            Failed::Enough if self.id.is_none() => Failed::Down(Vec::new()),
            failed => failed,
        }
    }

    /// Jobs that were not begun go to whoever comes next, in their order.
    pub(super) fn put_back(&self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.shared.put_back(&self.hop, job);
        }
    }
}
