//! Takes mail out of the queue as there is room for it.

use std::time::Duration;

use mailtypes::{EnhancedCode, Status, Timestamp};
use message::date;
use net::Dial;
use net::dns::Dns;
use store::{Cursor, Due, DuePage, Lease, Store, StoreError};

use super::Away;
use super::ours::is_ours;
use crate::limits::{IDLE_MIN, PUT_OFF_MIN, REFILLS_AT_ONCE, WINDOW};
use crate::outcome::Ending;
use crate::remote::trail::Trail;
use crate::route::next_hop::NextHop;
use crate::route::table::Way;
use crate::sites::age::Age;
use crate::sites::{Down, Offered, Refill};

impl<S: Store, R: Dns, D: Dial> Away<S, R, D> {
    /// Goes on through one lane. How soon to look again, counted from `began`: when there may be
    /// more, or when something becomes due.
    pub(super) async fn walk(
        &mut self,
        lease: &Lease,
        age: Age,
        began: Timestamp,
    ) -> Result<Option<Duration>, StoreError> {
        let limit = self.shared.sites().room(age).min(WINDOW);
        let room = self.shared.endings.room(age);
        if limit == 0 || room < PUT_OFF_MIN {
            return Ok(None);
        }
        let at = self.places[age];
        let store = &self.shared.store;
        self.shared.sites().look_begins();
        let page = self.looked(store.due(lease, age.lane(), at, limit).await)?;
        let soon = match page.due.len() {
            len if len < limit => page.later.map(|at| at.since(began).max(IDLE_MIN)),
            // The same page again tells more only when its moment is over.
            _ if at == page.next => Some(IDLE_MIN),
            _ => Some(Duration::ZERO),
        };
        let given = self.offer_all(lease, page.due, None, room).await;
        // Where nothing can be added any more.
        self.places[age] = given
            .stopped
            .map_or(page.next, |at| page.next.min(Some(at)));
        Ok(soon)
    }

    /// Looks for more mail of an age where a next hop has little left. When there may be more, how soon to
    /// look again.
    pub(super) async fn refill(
        &mut self,
        lease: &Lease,
        age: Age,
    ) -> Result<Option<Duration>, StoreError> {
        for _ in 0..REFILLS_AT_ONCE {
            // The other half is for the walk: a next hop that is down may have any number left.
            let room = self.shared.endings.room(age) / 2;
            if room < PUT_OFF_MIN {
                return Ok(None);
            }
            let Some(refill) = self.shared.sites().next_refill(age) else {
                return Ok(None);
            };
            let page = self.more(lease, &refill).await?;
            let full = page.due.len() >= refill.limit;
            let hop = Some(&refill.hop);
            let given = self.offer_all(lease, page.due, hop, room).await;
            let next = match given.stopped {
                Some(before) => Some(before),
                None if full => Some(page.next.unwrap_or(refill.after)),
                None => None,
            };
            self.shared.sites().went_on(&refill, next);
            if next == Some(refill.after) {
                return Ok(Some(IDLE_MIN));
            }
            if given.kept_back > 0 {
                // Whoever writes that down has enough for one round.
                break;
            }
        }
        Ok(Some(Duration::ZERO))
    }

    async fn more(&self, lease: &Lease, refill: &Refill) -> Result<DuePage, StoreError> {
        let store = &self.shared.store;
        let (lane, after, limit) = (refill.age.lane(), Some(refill.after), refill.limit);
        self.shared.sites().look_begins();
        let page = match &refill.domain {
            Some(host) => store.due_at(lease, host, lane, after, limit).await,
            None => store.due(lease, lane, after, limit).await,
        };
        self.looked(page)
    }

    /// A look that failed has seen nothing.
    fn looked<T>(&self, page: Result<T, StoreError>) -> Result<T, StoreError> {
        page.inspect_err(|_| self.shared.sites().look_ends())
    }

    /// Gives recipients to their sites; `until_full` stops when there is no room for that one. Stops also
    /// when as many are put off as there is `room` for.
    async fn offer_all(
        &mut self,
        lease: &Lease,
        all: Vec<Due>,
        until_full: Option<&NextHop>,
        room: usize,
    ) -> Given {
        let settings = self.shared.settings.load_full();
        let now = self.shared.clock.now();
        let mut given = Given::default();
        let (ours, all): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|due| is_ours(&due.address, &settings));
        self.bring_home(lease, ours).await;
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
            let before = Cursor::before(&due);
            if given.kept_back >= room {
                given.stopped = Some(before);
                break;
            }
            let own_pause = settings.schedule.pause_before(&due, now);
            let offered = self
                .shared
                .sites()
                .offer(&hop, due, &reason, own_pause, now);
            match offered {
                Offered::Taken => {}
                Offered::NoRoom if until_full == Some(&hop) => {
                    given.stopped = Some(before);
                    break;
                }
                Offered::NoRoom => {}
                Offered::Down(due, down) => {
                    given.kept_back += 1;
                    let until = down.keeps_until(own_pause);
                    self.keep_back(*due, &down, until).await;
                }
            }
        }
        self.shared.sites().look_ends();
        given
    }

    async fn keep_back(&self, due: Due, down: &Down, until: Timestamp) {
        let mut code = down.status.code;
        // It may be for good that the host refuses; not trying is not.
        code.class = 4;
        let seen = date::rfc3339(down.since);
        let text = format!("not tried, since at {seen}: {}", down.status.text);
        let status = Status::new(code, text);
        self.shared.postpone([due], &status, until).await;
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

/// What came of offering some recipients.
#[derive(Default)]
struct Given {
    /// There was no room any more for the one behind this place.
    stopped: Option<Cursor>,
    /// So many were not tried, because their next hop is down.
    kept_back: usize,
}
