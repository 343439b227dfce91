//! Files of dead segments that are kept, to be written once more.
//!
//! Their blocks are on the disk already: a sync of what is written over them takes half the time of
//! one that makes a file longer (ADR 17).

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tracing::debug;

use super::segment::segment_name;
use crate::disk::{Disk, DiskFile};
use crate::limits::{SPARES_MAX, SPARES_ROOM_MIN};

/// The spare files.
pub(crate) struct Spares {
    disk: Arc<dyn Disk>,
    names: Vec<String>,
    /// How long a segment becomes: a file that is shorter is not worth it.
    segment_len: u64,
    /// Segments whose sync has failed: what such a file holds is never known again.
    spoilt: BTreeSet<i64>,
}

impl Spares {
    pub(crate) fn new(disk: Arc<dyn Disk>, segment_len: u64) -> Self {
        Self {
            disk,
            names: Vec::new(),
            segment_len,
            spoilt: BTreeSet::new(),
        }
    }

    /// The file of this segment is never used again.
    pub(super) fn spoilt(&mut self, segment: i64) {
        self.spoilt.insert(segment);
    }

    /// Takes the file of a dead segment away from its name, if it is worth keeping. Whoever has it open still
    /// reads it: it counts only when it has been [kept](Self::keep).
    pub(crate) fn put_by(&mut self, segment: i64) -> Option<String> {
        if self.names.len() >= SPARES_MAX || self.spoilt.contains(&segment) {
            return None;
        }
        let name = segment_name(segment);
        let len = self.disk.open(&name).and_then(|file| file.length()).ok()?;
        let fits = (self.segment_len..=2 * self.segment_len).contains(&len);
        let room = self.disk.space().ok()?.for_new_mail();
        if !fits || room < SPARES_ROOM_MIN {
            return None;
        }
        let spare = format!("{PREFIX}{segment:06}");
        let renamed = self.disk.rename(&name, &spare);
        renamed.is_ok().then_some(spare)
    }

    /// Nobody reads it any more.
    pub(crate) fn keep(&mut self, spare: String) {
        debug!(file = %spare, "the file of a dead segment is kept for the next one");
        self.names.push(spare);
    }

    /// Gives one a new name, if there is one.
    pub(super) fn take(&mut self, name: &str) -> Option<Arc<dyn DiskFile>> {
        while let Some(spare) = self.names.pop() {
            // It may have been dropped meanwhile, where room is scarce.
            if self.disk.rename(&spare, name).is_ok() {
                return self.disk.open(name).ok();
            }
        }
        None
    }
}

/// Whether a file is a spare one.
pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Removes all of them, where room is scarce.
pub(crate) fn drop_all(disk: &dyn Disk) -> io::Result<()> {
    for name in disk.list()? {
        if is_spare(&name)
            && let Err(error) = disk.remove(&name)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
    }
    Ok(())
}

const PREFIX: &str = "spare-";
