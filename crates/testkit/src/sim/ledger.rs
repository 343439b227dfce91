//! What people have sent, and what they were promised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailtypes::ItemId;

/// A message as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// Its name, which stands in its subject.
    pub(super) token: String,
    /// The server that it was given to.
    pub(super) host: usize,
    pub(super) sender: String,
    pub(super) recipients: Vec<String>,
    pub(super) octets: Vec<u8>,
}

/// A 250 that somebody heard.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) letter: Letter,
    /// The queue id.
    pub(super) id: ItemId,
    /// Those that the server took.
    pub(super) taken: Vec<String>,
}

/// Both; clones share them.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
pub(super) struct Books {
    pub(super) letters: BTreeMap<String, Letter>,
    pub(super) promises: Vec<Promise>,
}

impl Ledger {
    pub(super) fn sent(&self, letter: &Letter) {
        self.books()
            .letters
            .insert(letter.token.clone(), letter.clone());
    }

    pub(super) fn promised(&self, promise: Promise) {
        self.books().promises.push(promise);
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
