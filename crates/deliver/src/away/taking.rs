//! Takes mail out of the queue as there is room for it.

use std::time::Duration;

use mailtypes::{EnhancedCode, Host, Status};
use net::Dial;
use net::dns::Dns;
use store::{Cursor, Due, Lane, Lease, Store, StoreError};

use super::Away;
use crate::limits::{IDLE_MIN, SITE_WAITING_MAX, WINDOW};
use crate::outcome::Ending;
use crate::remote::trail::Trail;
use crate::route::table::Way;
use crate::sites::{Offered, Refill};

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    /// Goes on through one lane. When there may be more, how soon to look again.
    pub(super) async fn walk(
        &mut self,
        lease: &Lease,
        lane: Lane,
    ) -> Result<Option<Duration>, StoreError> {
        let (fresh, again) = self.shared.sites().room();
        let room = if lane == Lane::Fresh { fresh } else { again };
        let limit = room.min(WINDOW);
        if limit == 0 {
            return Ok(None);
        }
        let at = *self.place(lane);
        let page = self.shared.store.due(lease, lane, at, limit).await?;
        let full = page.due.len() >= limit;
        let is_further = at != page.next;
        *self.place(lane) = page.next;
        self.offer_all(page.due).await;
        // The same page again tells more only when its moment is over.
        let soon = if is_further { Duration::ZERO } else { IDLE_MIN };
        Ok(full.then_some(soon))
    }

    /// How far a lane has been gone through.
    fn place(&mut self, lane: Lane) -> &mut Option<Cursor> {
        if lane == Lane::Fresh {
            &mut self.fresh
        } else {
            &mut self.again
        }
    }

    /// Looks for more mail where a next hop has little left.
    pub(super) async fn refill(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let wanted = self.shared.sites().take_hungry();
        for refill in wanted {
            match refill {
                Refill::Everything => (self.fresh, self.again) = (None, None),
                Refill::Domains(hosts) => {
                    for host in hosts {
                        self.refill_from(lease, &host).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn refill_from(&mut self, lease: &Lease, host: &Host) -> Result<(), StoreError> {
        // What is in hand is due still, and comes first.
        let in_hand = self.shared.sites().in_hand().min(SITE_WAITING_MAX);
        let limit = in_hand + SITE_WAITING_MAX;
        for lane in [Lane::Fresh, Lane::Again] {
            let store = &self.shared.store;
            let page = store.due_at(lease, host, lane, None, limit).await?;
            self.offer_all(page.due).await;
        }
        Ok(())
    }

    async fn offer_all(&mut self, all: Vec<Due>) {
        let settings = self.shared.settings.load_full();
        let now = self.shared.clock.now();
        for due in all {
            let Way { hop, reason } = settings.routes.way(&due.address.host, &settings.own);
            let Some(hop) = hop else {
                self.nowhere(due, &reason).await;
                continue;
            };
            if due.suspect {
                if self.shared.sites().hold(&due) {
                    self.suspects.add(due, hop, reason, now);
                }
                continue;
            }
            let offered = self.shared.sites().offer(&hop, due, &reason, now);
            if let Offered::Down(due, down) = offered {
                let mut status = down.status;
                // That it would refuse for good was said of others: these are only late.
                status.code.class = 4;
                status.text = format!("not tried, since a moment ago: {}", status.text);
                let trail = Trail::new(hop.to_string(), reason);
                self.shared.tell(*due, Ending::Later(status), &trail).await;
            }
        }
        self.shared.calls.notify_waiters();
    }

    async fn nowhere(&self, due: Due, reason: &str) {
        if !self.shared.sites().hold(&due) {
            return;
        }
        let status = Status::new(EnhancedCode::new(5, 1, 2), reason);
        let trail = Trail::new("nowhere".to_owned(), reason.to_owned());
        self.shared.tell(due, Ending::Never(status), &trail).await;
    }
}
