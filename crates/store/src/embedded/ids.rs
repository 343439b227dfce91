//! Queue ids, each larger than all before it.

use std::sync::Mutex;

use mailtypes::{ItemId, Timestamp};
use rand::Rng;
use rand::rngs::SmallRng;

use super::locked;

/// Makes ids from the time and injected randomness; never the same twice on one node.
pub(crate) struct Ids(Mutex<(SmallRng, Option<ItemId>)>);

impl Ids {
    /// `last` is the newest id that the store has seen.
    pub(crate) fn new(rng: SmallRng, last: Option<ItemId>) -> Self {
        Self(Mutex::new((rng, last)))
    }

    pub(crate) fn next(&self, now: Timestamp) -> ItemId {
        let (rng, last) = &mut *locked(&self.0);
        let fresh = ItemId::generate(now, rng.next_u64());
        let id = match *last {
            // Several in one millisecond, or a clock that went back.
            Some(last) if fresh <= last => last.next(),
            _ => fresh,
        };
        *last = Some(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn ids_only_grow_even_when_the_clock_goes_back() {
        let ids = Ids::new(SmallRng::seed_from_u64(1), None);
        let times = [1000, 1000, 1000, 999, 1, 1001];
        let made: Vec<ItemId> = times
            .iter()
            .map(|t| ids.next(Timestamp::from_millis(*t)))
            .collect();
        assert!(
            made.is_sorted() && made.windows(2).all(|two| two[0] != two[1]),
            "{made:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let of = |seed| Ids::new(SmallRng::seed_from_u64(seed), None).next(Timestamp::EPOCH);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }
}
