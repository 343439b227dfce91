//! What a draft holds, given back whatever becomes of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::disk::Disk;

/// A file that goes when nobody keeps it.
pub(crate) struct FileGuard {
    disk: Arc<dyn Disk>,
    name: String,
    kept: bool,
}

impl FileGuard {
    pub(crate) fn new(disk: Arc<dyn Disk>, name: String) -> Self {
        Self {
            disk,
            name,
            kept: false,
        }
    }

    /// The file has another name now.
    pub(crate) fn renamed(&mut self, name: String) {
        self.name = name;
    }

    /// Whether the file stays when this goes.
    pub(crate) fn keep(&mut self, kept: bool) {
        self.kept = kept;
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for FileGuard {
    fn drop(&mut self) {
        if !self.kept {
            // What stays behind when this fails is removed at the next start.
            let _ = self.disk.remove(&self.name);
        }
    }
}

impl fmt::Debug for FileGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileGuard").field(&self.name).finish()
    }
}

/// Memory charged to the account that all drafts share.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<AtomicUsize>,
    octets: usize,
}

impl Charge {
    pub(crate) fn none(account: &Arc<AtomicUsize>) -> Self {
        Self {
            account: Arc::clone(account),
            octets: 0,
        }
    }

    /// Charges `octets` in all, if the account stays within `limit`.
    pub(crate) fn raise_to(&mut self, octets: usize, limit: usize) -> bool {
        let more = octets.saturating_sub(self.octets);
        let before = self.account.fetch_add(more, Ordering::Relaxed);
        if before + more > limit {
            self.account.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.octets += more;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.fetch_sub(self.octets, Ordering::Relaxed);
    }
}
