//! A body on its way in, before anybody has promised to keep it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mailtypes::ItemId;

use crate::StoreError;
use crate::body_log::{DRAFT_BODY_AT, Numbers, Place, adopt_draft, segment_name};
use crate::disk::{Disk, DiskFile};
use crate::limits::{DRAFT_MEMORY_MAX, DRAFT_SYNC_EVERY, DRAFTS_MEMORY_MAX};
use crate::pool::Pool;

mod guards;

pub(crate) use guards::{Charge, FileGuard};

/// A body that streams in: small ones wait in memory, large ones in a file of their own.
///
/// Dropping it leaves nothing behind; a refused draft costs no log octets.
pub struct Draft {
    id: ItemId,
    maker: Drafts,
    memory: Vec<u8>,
    charge: Charge,
    file: Option<DraftFile>,
    len: u64,
    crc: u32,
    failed: Option<StoreError>,
}

struct DraftFile {
    guard: FileGuard,
    file: Arc<dyn DiskFile>,
    unsynced: u64,
}

/// What makes drafts, and the memory that they share.
#[derive(Clone)]
pub(crate) struct Drafts {
    disk: Arc<dyn Disk>,
    numbers: Numbers,
    pool: Pool<()>,
    charged: Arc<AtomicUsize>,
}

/// A finished body, ready for the transaction that makes it ours.
#[derive(Debug)]
pub(crate) enum Finished {
    /// Joins the group append. Its memory is charged until the transaction is over.
    Memory {
        octets: Vec<u8>,
        crc: u32,
        _charge: Charge,
    },
    /// Is on disk already, as a segment of its own that goes unless the transaction names it.
    Segment(Place, FileGuard),
}

impl Drafts {
    pub(crate) fn new(disk: Arc<dyn Disk>, numbers: Numbers, pool: Pool<()>) -> Self {
        Self {
            disk,
            numbers,
            pool,
            charged: Arc::default(),
        }
    }

    /// What hands out the segments that large ones become.
    #[cfg(test)]
    pub(crate) fn numbers(&self) -> Numbers {
        self.numbers.clone()
    }

    /// Octets of all drafts in memory.
    pub(crate) fn octets(&self) -> usize {
        self.charged.load(Ordering::Relaxed)
    }

    pub(crate) fn start(&self, id: ItemId) -> Draft {
        Draft {
            id,
            maker: self.clone(),
            memory: Vec::new(),
            charge: Charge::none(&self.charged),
            file: None,
            len: 0,
            crc: 0,
            failed: None,
        }
    }
}

impl Draft {
    /// The queue id that the item will have.
    pub fn id(&self) -> ItemId {
        self.id
    }

    /// Octets so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Octets that the disk must still take: what lies in a file of its own has its room already.
    pub(crate) fn unwritten(&self) -> u64 {
        match self.file {
            Some(_) => 0,
            None => self.len,
        }
    }

    /// Takes in more of the body. After an error the draft stays failed.
    pub async fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        // Until it is known to be there: also when this future is dropped half way.
        self.failed = Some(StoreError::Disk(
            "a part of the body was not written".to_owned(),
        ));
        self.crc = crc32c::crc32c_append(self.crc, octets);
        self.len += octets.len() as u64;
        let written = if self.file.is_none() && self.fits_in_memory(octets.len()) {
            self.memory.extend_from_slice(octets);
            Ok(())
        } else {
            self.write_to_file(octets).await
        };
        self.failed = written.clone().err();
        written
    }

    /// Whether `more` octets may wait in memory; if so, room for them is made and charged.
    fn fits_in_memory(&mut self, more: usize) -> bool {
        let wanted = self.memory.len() + more;
        if wanted > DRAFT_MEMORY_MAX {
            return false;
        }
        if wanted <= self.memory.capacity() {
            return true;
        }
        let room = wanted.max(self.memory.capacity() * 2).min(DRAFT_MEMORY_MAX);
        let charged = self.charge.raise_to(room, DRAFTS_MEMORY_MAX);
        if charged {
            self.memory.reserve_exact(room - self.memory.len());
        }
        charged
    }

    async fn write_to_file(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        let mut block = std::mem::take(&mut self.memory);
        let at = DRAFT_BODY_AT + self.len - (block.len() + octets.len()) as u64;
        block.extend_from_slice(octets);
        let name = format!("draft-{}", self.id);
        let disk = Arc::clone(&self.maker.disk);
        let open = self.file.take();
        // The job owns the file: when nobody waits for it any more, the file goes with it.
        let write = move |_: &mut ()| write_block(&disk, open, name, &block, at);
        let file = self
            .maker
            .pool
            .run(write)
            .await?
            .map_err(|e| StoreError::from_io(&e))?;
        self.file = Some(file);
        self.charge = Charge::none(&self.maker.charged);
        Ok(())
    }

    /// Ends the body. One on disk is forced down here, outside the writer's turn.
    pub(crate) async fn finish(self) -> Result<Finished, StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let Some(DraftFile {
            mut guard, file, ..
        }) = self.file
        else {
            let (octets, crc) = (self.memory, self.crc);
            return Ok(Finished::Memory {
                octets,
                crc,
                _charge: self.charge,
            });
        };
        let (disk, numbers) = (Arc::clone(&self.maker.disk), self.maker.numbers.clone());
        let (id, len, crc) = (self.id.as_i64(), self.len, self.crc);
        let adopt = move |_: &mut ()| -> io::Result<Finished> {
            let draft = (guard.name(), &*file);
            let place = adopt_draft(&*disk, &numbers, draft, id, len, crc)?;
            guard.renamed(segment_name(place.segment));
            Ok(Finished::Segment(place, guard))
        };
        self.maker
            .pool
            .run(adopt)
            .await?
            .map_err(|e| StoreError::from_io(&e))
    }
}

/// Writes one block of a body, into a new file when there is none yet. Now and then it is forced
/// down, and the room on the disk looked at.
fn write_block(
    disk: &Arc<dyn Disk>,
    open: Option<DraftFile>,
    name: String,
    block: &[u8],
    at: u64,
) -> io::Result<DraftFile> {
    let has_room = || match disk.space()?.for_new_mail() {
        0 => Err(io::Error::from(io::ErrorKind::StorageFull)),
        _ => Ok(()),
    };
    let mut draft = if let Some(draft) = open {
        draft
    } else {
        has_room()?;
        let file = disk.create(&name)?;
        DraftFile {
            guard: FileGuard::new(Arc::clone(disk), name),
            file,
            unsynced: 0,
        }
    };
    draft.file.write_all_at(block, at)?;
    draft.unsynced += block.len() as u64;
    if draft.unsynced >= DRAFT_SYNC_EVERY {
        draft.file.sync_data()?;
        draft.unsynced = 0;
        has_room()?;
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::double::{Fault, MemoryDisk};

    fn drafts(disk: &MemoryDisk) -> Drafts {
        let pool = Pool::start("drafts", vec![()]).unwrap();
        Drafts::new(Arc::new(disk.clone()), Numbers::starting_at(1, 0), pool)
    }

    fn id(n: i64) -> ItemId {
        ItemId::from_i64(n).unwrap()
    }

    #[tokio::test]
    async fn small_bodies_wait_in_memory() {
        let disk = MemoryDisk::default();
        let drafts = drafts(&disk);
        let mut draft = drafts.start(id(1));
        draft.write(b"one ").await.unwrap();
        draft.write(b"two").await.unwrap();
        assert!((7..100).contains(&drafts.charged.load(Ordering::Relaxed)));
        let Finished::Memory { octets, crc, .. } = draft.finish().await.unwrap() else {
            panic!("not in memory")
        };
        assert_eq!(
            (octets.as_slice(), crc),
            (&b"one two"[..], crc32c::crc32c(b"one two"))
        );
        assert_eq!(drafts.charged.load(Ordering::Relaxed), 0);
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn large_bodies_become_segments_and_survive_a_power_cut() {
        let disk = MemoryDisk::default();
        let drafts = drafts(&disk);
        let mut draft = drafts.start(id(1));
        let piece = vec![b'x'; 100_000];
        for _ in 0..5 {
            draft.write(&piece).await.unwrap();
        }
        assert_eq!(drafts.charged.load(Ordering::Relaxed), 0);
        let Finished::Segment(place, mut guard) = draft.finish().await.unwrap() else {
            panic!("not a segment")
        };
        guard.keep(true);
        disk.cut_power();
        let mut octets = vec![0; 500_000];
        let file = disk.open(&segment_name(place.segment)).unwrap();
        file.read_exact_at(&mut octets, place.at).unwrap();
        assert_eq!(
            (place.length, place.crc),
            (500_000, crc32c::crc32c(&octets))
        );
        assert!(octets.iter().all(|o| *o == b'x'));
    }

    #[tokio::test]
    async fn a_dropped_or_failed_draft_leaves_nothing() {
        let disk = MemoryDisk::default();
        let drafts = drafts(&disk);
        let big = vec![b'x'; DRAFT_MEMORY_MAX + 1];
        let mut draft = drafts.start(id(1));
        draft.write(&big).await.unwrap();
        assert_eq!(disk.list().unwrap().len(), 1);
        drop(draft);
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());

        let mut draft = drafts.start(id(2));
        disk.inject(Fault::Write(28));
        assert_eq!(draft.write(&big).await, Err(StoreError::Full));
        assert_eq!(draft.write(b"more").await, Err(StoreError::Full));
        assert_eq!(draft.finish().await.err(), Some(StoreError::Full));

        let mut draft = drafts.start(id(3));
        draft.write(&big).await.unwrap();
        disk.inject(Fault::Sync(5));
        assert!(matches!(draft.finish().await, Err(StoreError::Disk(_))));
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn when_memory_is_short_drafts_go_to_disk_early() {
        let disk = MemoryDisk::default();
        let drafts = drafts(&disk);
        drafts.charged.store(DRAFTS_MEMORY_MAX, Ordering::Relaxed);
        let mut draft = drafts.start(id(1));
        draft.write(b"small").await.unwrap();
        assert_eq!(disk.list().unwrap().len(), 1);
        assert!(matches!(draft.finish().await, Ok(Finished::Segment(..))));
        assert_eq!(drafts.charged.load(Ordering::Relaxed), DRAFTS_MEMORY_MAX);
    }
}
