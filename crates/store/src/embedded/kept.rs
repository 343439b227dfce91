//! How much a store keeps in memory.

use super::Embedded;
use crate::limits::{DIRECTORY_CACHE_MAX, DRAFTS_MEMORY_MAX, FRESH_MEMORY_MAX, WRITER_QUEUE_MAX};

/// A moment's lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Octets of drafts in memory.
    pub drafts: usize,
    /// Octets of messages that have just come in and were not opened.
    pub fresh: usize,
    /// Answers of the directory.
    pub listings: usize,
    /// Orders that wait for the writer.
    pub orders: usize,
}

impl Kept {
    /// The first list that is longer than its limit.
    #[must_use]
    pub fn beyond(&self) -> Option<String> {
        let lists = [
            ("octets of drafts", self.drafts, DRAFTS_MEMORY_MAX),
            ("octets of new messages", self.fresh, FRESH_MEMORY_MAX),
            (
                "answers of the directory",
                self.listings,
                DIRECTORY_CACHE_MAX,
            ),
            ("orders", self.orders, WRITER_QUEUE_MAX),
        ];
        let (what, len, max) = lists.into_iter().find(|(_, len, max)| len > max)?;
        Some(format!("{len} {what} in memory, and {max} is the limit"))
    }

    /// The first list that keeps mail, while there is none in the queue and nobody sends any.
    #[must_use]
    pub fn left_over(&self) -> Option<String> {
        let lists = [
            ("octets of drafts", self.drafts),
            ("octets of new messages", self.fresh),
            ("orders", self.orders),
        ];
        let (what, len) = lists.into_iter().find(|(_, len)| *len > 0)?;
        Some(format!("{len} {what} in memory, and the queue is empty"))
    }
}

impl Embedded {
    /// How much it keeps in memory.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept {
            drafts: self.inner.drafts.octets(),
            fresh: self.inner.fresh.octets(),
            listings: self.inner.cache.len(),
            orders: self.inner.writer.waiting(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_beyond_its_limit_is_named() {
        let within = Kept {
            drafts: DRAFTS_MEMORY_MAX,
            ..Kept::default()
        };
        assert_eq!(within.beyond(), None);
        assert!(within.left_over().is_some());
        let beyond = Kept {
            orders: WRITER_QUEUE_MAX + 1,
            ..Kept::default()
        };
        assert_eq!(
            beyond.beyond().unwrap(),
            "4097 orders in memory, and 4096 is the limit"
        );
    }
}
