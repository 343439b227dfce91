//! How much a deliverer keeps in memory, list by list.

use std::fmt;
use std::sync::Arc;

use crate::limits::{LATE_MAX, LINES_MAX, SITES_MAX, WAITING_LANE_MAX, in_hand_max, outcomes_max};
use crate::shared::Shared;
use crate::sites::age::Age;

/// A moment's lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Recipients for other servers that wait here or are under way.
    pub in_hand: usize,
    /// Of these, new mail that waits for a connection.
    pub waiting_fresh: usize,
    /// And what was tried or put off before.
    pub waiting_again: usize,
    /// Next hops that have mail here or are remembered for their failures.
    pub sites: usize,
    /// Next hops that stand in line for a place at a host.
    pub lines: usize,
    /// Workers with a connection, or on their way to one.
    pub workers: usize,
    /// Outcomes that wait to be written down.
    pub outcomes: usize,
    /// Items whose senders wait to be told of a delay.
    pub late: usize,
}

impl Kept {
    /// The first list that is longer than its limit; `connections` is how many there may be.
    #[must_use]
    pub fn beyond(&self, connections: usize) -> Option<String> {
        let lists = [
            ("recipients in hand", self.in_hand, in_hand_max(connections)),
            ("new recipients", self.waiting_fresh, WAITING_LANE_MAX),
            ("retries", self.waiting_again, WAITING_LANE_MAX),
            ("next hops", self.sites, SITES_MAX),
            ("lines", self.lines, LINES_MAX),
            ("workers", self.workers, connections),
            ("outcomes", self.outcomes, outcomes_max(connections)),
            ("late items", self.late, LATE_MAX),
        ];
        let (what, len, max) = lists.into_iter().find(|(_, len, max)| len > max)?;
        Some(format!("{len} {what} in memory, and {max} is the limit"))
    }

    /// The first list that keeps mail, while there is none in the queue.
    #[must_use]
    pub fn left_over(&self) -> Option<String> {
        let lists = [
            ("recipients in hand", self.in_hand),
            ("new recipients", self.waiting_fresh),
            ("retries", self.waiting_again),
            ("lines", self.lines),
            ("outcomes", self.outcomes),
        ];
        let (what, len) = lists.into_iter().find(|(_, len)| *len > 0)?;
        Some(format!("{len} {what} in memory, and the queue is empty"))
    }
}

/// A look into a deliverer, which may be gone.
#[derive(Clone)]
pub struct KeptView(Arc<dyn Fn() -> Kept + Send + Sync>);

impl KeptView {
    pub(crate) fn of<S, R, D>(shared: &Arc<Shared<S, R, D>>) -> Self
    where
        Shared<S, R, D>: Send + Sync + 'static,
    {
        let shared = Arc::downgrade(shared);
        Self(Arc::new(move || {
            shared
                .upgrade()
                .map(|shared| kept(&shared))
                .unwrap_or_default()
        }))
    }

    /// The lengths of this moment; of one that is gone there is nothing.
    #[must_use]
    pub fn look(&self) -> Kept {
        (self.0)()
    }
}

impl fmt::Debug for KeptView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptView").field(&self.look()).finish()
    }
}

fn kept<S, R, D>(shared: &Shared<S, R, D>) -> Kept {
    let sites = shared.sites();
    Kept {
        in_hand: sites.in_hand(),
        waiting_fresh: sites.waiting(Age::Fresh),
        waiting_again: sites.waiting(Age::Again),
        sites: sites.len(),
        lines: sites.lines(),
        workers: sites.workers(),
        outcomes: shared.endings.len(),
        late: shared.late.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_beyond_its_limit_is_named() {
        let within = Kept {
            sites: SITES_MAX,
            workers: 7,
            ..Kept::default()
        };
        assert_eq!((within.beyond(7), within.left_over()), (None, None));
        let told = within.beyond(6).unwrap();
        assert_eq!(told, "7 workers in memory, and 6 is the limit");
        let in_hand = |in_hand| Kept {
            in_hand,
            ..Kept::default()
        };
        assert_eq!(in_hand(in_hand_max(1)).beyond(1), None);
        let told = in_hand(in_hand_max(1) + 1).beyond(1).unwrap();
        assert!(told.contains("recipients in hand"), "{told}");
        let left = Kept {
            in_hand: 1,
            ..Kept::default()
        };
        assert!(
            left.left_over()
                .unwrap()
                .starts_with("1 recipients in hand")
        );
    }
}
