//! Files of dead segments that are kept, to be written once more.
//!
//! Their blocks are on the disk already: a sync of what is written over them takes half the time of
//! one that makes a file longer (ADR 17).

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tracing::debug;

use super::BodyReader;
use super::names::{is_spare, segment_name, spare_name};
use crate::disk::{Disk, DiskFile};
use crate::limits::{SPARES_MAX, SPARES_ROOM_MIN, TURN_OCTETS_MAX};

/// The spare files.
pub(super) struct Spares {
    disk: Arc<dyn Disk>,
    names: Vec<String>,
    /// How long a segment becomes: a file that is shorter is not worth it.
    segment_len: u64,
    /// Segments whose sync has failed, while they live: their files are not used again.
    spoilt: BTreeSet<i64>,
}

impl Spares {
    pub(super) fn new(disk: Arc<dyn Disk>, segment_len: u64) -> Self {
        Self {
            disk,
            names: Vec::new(),
            segment_len,
            spoilt: BTreeSet::new(),
        }
    }

    /// The file of this segment is not used again.
    pub(super) fn spoilt(&mut self, segment: i64) {
        self.spoilt.insert(segment);
    }

    /// Takes the file of a segment away that no row names: keeps it, or removes it. One that somebody
    /// reads through `readers` is not written again.
    pub(super) fn retire(&mut self, segment: i64, readers: &BodyReader) -> io::Result<()> {
        let spare = self.put_by(segment);
        let removed = match spare {
            Some(_) => Ok(()),
            None => self.remove(&segment_name(segment)),
        };
        // Afterwards: a reader that was late may have opened it once more.
        let is_free = readers.forget(segment);
        match spare {
            Some(spare) if is_free => {
                debug!(file = %spare, "the file of a dead segment is kept for the next one");
                self.names.push(spare);
                Ok(())
            }
            Some(spare) => self.remove(&spare),
            None => removed,
        }
    }

    /// Gives the file of a dead segment another name, if it is worth keeping.
    fn put_by(&mut self, segment: i64) -> Option<String> {
        if self.spoilt.remove(&segment) || self.names.len() >= SPARES_MAX {
            return None;
        }
        let name = segment_name(segment);
        let len = self.disk.open(&name).and_then(|file| file.length()).ok()?;
        // The last turn goes beyond the length of a segment.
        let longest = self.segment_len + 2 * TURN_OCTETS_MAX as u64;
        let room = self.disk.space().ok()?.for_new_mail();
        if !(self.segment_len..=longest).contains(&len) || room < SPARES_ROOM_MIN {
            return None;
        }
        let spare = spare_name(segment);
        let renamed = self.disk.rename(&name, &spare);
        renamed.is_ok().then_some(spare)
    }

    /// Gives one a new name, if there is one.
    pub(super) fn take(&mut self, name: &str) -> Option<Arc<dyn DiskFile>> {
        while let Some(spare) = self.names.pop() {
            // It may have been dropped meanwhile, where room is scarce.
            if let Ok(file) = self.disk.open(&spare)
                && self.disk.rename(&spare, name).is_ok()
            {
                return Some(file);
            }
            let _ = self.remove(&spare);
        }
        None
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        remove_if_there(&*self.disk, file)
    }
}

/// Removes all of them, where room is scarce. Whoever would have taken one makes a new file. Answers
/// why one could not be removed, and removes the others.
pub(crate) fn drop_all(disk: &dyn Disk) -> io::Result<()> {
    let mut done = Ok(());
    for name in disk.list()?.iter().filter(|name| is_spare(name)) {
        done = done.and(remove_if_there(disk, name));
    }
    done
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(disk: &dyn Disk, file: &str) -> io::Result<()> {
    match disk.remove(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::double::{Fault, MemoryDisk};

    /// A dead segment, and who keeps its file.
    fn dead(disk: &MemoryDisk) -> (Spares, BodyReader) {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let file = disk.create(&segment_name(1)).unwrap();
        file.write_all_at(&[b'x'; 100], 0).unwrap();
        (
            Spares::new(Arc::clone(&shared), 100),
            BodyReader::new(shared),
        )
    }

    #[test]
    fn a_file_of_the_right_length_is_kept_and_taken() {
        for (segment_len, kept) in [(99, true), (100, true), (101, false)] {
            let disk = MemoryDisk::default();
            let (mut spares, readers) = dead(&disk);
            spares.segment_len = segment_len;
            spares.retire(1, &readers).unwrap();
            let names = disk.list().unwrap();
            assert_eq!(names.len(), usize::from(kept), "{segment_len}: {names:?}");
            let file = spares.take("000002.seg");
            assert_eq!(file.map(|file| file.length().unwrap()), kept.then_some(100));
        }
    }

    #[test]
    fn a_file_whose_sync_has_failed_is_removed() {
        let disk = MemoryDisk::default();
        let (mut spares, readers) = dead(&disk);
        spares.spoilt(1);
        spares.retire(1, &readers).unwrap();
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
        assert!(spares.spoilt.is_empty());
    }

    #[test]
    fn a_file_that_cannot_get_another_name_is_removed() {
        let disk = MemoryDisk::default();
        let (mut spares, readers) = dead(&disk);
        disk.inject(Fault::Rename(5));
        spares.retire(1, &readers).unwrap();
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());

        let (mut spares, readers) = dead(&disk);
        spares.retire(1, &readers).unwrap();
        disk.inject(Fault::Rename(5));
        assert!(spares.take("000002.seg").is_none());
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
    }
}
