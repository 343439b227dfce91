//! Answers of the directory, kept until the directory changes.

use std::collections::HashMap;
use std::sync::Mutex;

use mailtypes::Mailbox;

use super::locked;
use crate::directory::Listing;
use crate::limits::DIRECTORY_CACHE_MAX;

/// Bounded; a full or outdated cache is emptied.
#[derive(Default)]
pub(crate) struct DirectoryCache(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Grows with each change of the directory.
    generation: u64,
    listings: HashMap<Mailbox, Option<Listing>>,
}

impl DirectoryCache {
    /// How many answers are kept.
    pub(crate) fn len(&self) -> usize {
        locked(&self.0).listings.len()
    }

    /// What is known, or the generation to hand back with the answer.
    pub(crate) fn get(&self, address: &Mailbox) -> Result<Option<Listing>, u64> {
        let kept = locked(&self.0);
        kept.listings.get(address).cloned().ok_or(kept.generation)
    }

    /// Keeps an answer, unless the directory has changed since it was asked for.
    pub(crate) fn put(&self, address: Mailbox, listing: Option<Listing>, generation: u64) {
        let mut kept = locked(&self.0);
        if kept.generation != generation {
            return;
        }
        if kept.listings.len() >= DIRECTORY_CACHE_MAX {
            kept.listings.clear();
        }
        kept.listings.insert(address, listing);
    }

    /// The directory has changed.
    pub(crate) fn clear(&self) {
        let mut kept = locked(&self.0);
        kept.generation += 1;
        kept.listings.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_before_a_change_is_not_kept() {
        let cache = DirectoryCache::default();
        let ann = Mailbox::parse("ann@example.org").unwrap();
        let generation = cache.get(&ann).unwrap_err();
        cache.clear();
        cache.put(ann.clone(), None, generation);
        let generation = cache.get(&ann).unwrap_err();
        cache.put(ann.clone(), None, generation);
        assert_eq!(cache.get(&ann), Ok(None));
    }
}
