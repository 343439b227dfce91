//! A file: its octets, and what a power cut leaves of them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt;
use rand::rngs::SmallRng;

use super::faults::{EIO, ENOSPC, Lie, Step};
use super::octets::Octets;
use super::{DiskFile, MemoryDisk, State};

/// A file of a disk in memory. It does not know its disk, which has it.
#[derive(Default)]
pub(super) struct MemoryFile(Mutex<Content>);

/// A file in somebody's hands.
pub(super) struct OpenFile {
    pub(super) disk: MemoryDisk,
    pub(super) file: Arc<MemoryFile>,
}

/// Octets as they are, and as a power cut leaves them.
#[derive(Clone, Default)]
pub(super) struct Content {
    pub(super) now: Octets,
    pub(super) durable: Octets,
    /// What was changed since the last sync, in order.
    pub(super) pending: Vec<Change>,
}

/// A change of a file.
#[derive(Clone)]
pub(super) enum Change {
    Written(usize, Vec<u8>),
    Reserved(usize),
    Cut(usize),
}

/// What becomes of a change that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chance {
    /// All of it reaches the disk.
    Whole,
    /// Nothing does.
    Nothing,
    /// Each change for itself, and each block of a write.
    Torn,
}

impl Change {
    fn make(&self, octets: &mut Octets) {
        match self {
            Self::Written(offset, bytes) => octets.put(*offset, bytes),
            Self::Reserved(len) => octets.reserve(*len),
            Self::Cut(len) => octets.cut(*len),
        }
    }

    /// Makes as much of it as chance has it: blocks of a write in any order.
    fn tear(&self, octets: &mut Octets, rng: &mut SmallRng) {
        match self {
            Self::Written(offset, bytes) => {
                let mut at = *offset;
                let end = offset + bytes.len();
                while at < end {
                    let next = (at / BLOCK_LEN + 1) * BLOCK_LEN;
                    let next = next.min(end);
                    if rng.random() {
                        octets.put(at, &bytes[at - offset..next - offset]);
                    }
                    at = next;
                }
            }
            Self::Reserved(_) | Self::Cut(_) if rng.random() => self.make(octets),
            Self::Reserved(_) | Self::Cut(_) => {}
        }
    }
}

impl Content {
    /// What a power cut leaves.
    pub(super) fn after_power_cut(&self, chance: Chance, rng: &mut SmallRng) -> Self {
        let mut durable = self.durable.clone();
        for change in &self.pending {
            match chance {
                Chance::Whole => change.make(&mut durable),
                Chance::Nothing => {}
                Chance::Torn => change.tear(&mut durable, rng),
            }
        }
        Self {
            now: durable.clone(),
            durable,
            pending: Vec::new(),
        }
    }

    pub(super) fn flip_bit(&mut self, offset: usize) {
        for octets in [&mut self.now, &mut self.durable] {
            octets.flip_bit(offset);
        }
    }

    fn change(&mut self, change: Change) {
        change.make(&mut self.now);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.make(&mut self.durable);
        }
    }

    /// As Linux does: what could not be written is given up, and the next sync says "fine". Until
    /// memory is short it can be read as if it were there.
    fn fail_sync(&mut self, rng: &mut SmallRng) {
        for change in std::mem::take(&mut self.pending) {
            change.tear(&mut self.durable, rng);
        }
        if rng.random() {
            self.give_up();
        }
    }

    /// What was not synced is gone.
    fn give_up(&mut self) {
        self.pending.clear();
        self.now.clone_from(&self.durable);
    }
}

impl MemoryFile {
    pub(super) fn with(content: Content) -> Self {
        Self(Mutex::new(content))
    }

    pub(super) fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenFile {
    /// How much of a write is done, and what is said of it.
    fn admit(&self, len: usize, end: usize) -> (usize, io::Result<()>) {
        if let Err(trouble) = self.disk.step(Step::Write) {
            let done = if trouble.half { len / 2 } else { 0 };
            let said = match trouble.errno {
                0 => io::ErrorKind::WriteZero.into(),
                _ => trouble.into(),
            };
            return (done, Err(said));
        }
        let mut state = self.disk.state();
        if state.full && end > self.file.content().now.len() {
            let done = if state.rng.random() { len / 2 } else { 0 };
            return (done, Err(io::Error::from_raw_os_error(ENOSPC)));
        }
        (len, Ok(()))
    }
}

impl DiskFile for OpenFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let (done, said) = self.admit(bytes.len(), offset + bytes.len());
        if done > 0 {
            let change = Change::Written(offset, bytes[..done].to_vec());
            self.file.content().change(change);
        }
        said?;
        self.disk.stepped()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.step(Step::Look)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        if self.file.content().now.get(bytes, offset) {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let told = self.disk.step(Step::Sync);
        let mut state = self.disk.state();
        let State {
            faults,
            rng,
            sync_max,
            ..
        } = &mut *state;
        let mut content = self.file.content();
        match told {
            Err(trouble) => {
                if trouble.by_chance {
                    content.fail_sync(rng);
                } else if !trouble.ended {
                    content.give_up();
                }
                return Err(trouble.into());
            }
            Ok(()) if sync_max.is_some_and(|max| content.now.len() > max) => {
                content.give_up();
                return Err(io::Error::from_raw_os_error(EIO));
            }
            Ok(()) if faults.lie == Some(Lie::Sync) => {}
            Ok(()) => content.sync(),
        }
        drop(content);
        drop(state);
        self.disk.stepped()
    }

    fn length(&self) -> io::Result<u64> {
        self.disk.step(Step::Look)?;
        Ok(self.file.content().now.len() as u64)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.disk.step(Step::Reserve)?;
        if self.disk.state().full && len > self.file.content().now.len() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        self.file.content().change(Change::Reserved(len));
        self.disk.stepped()
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.disk.step(Step::Cut)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.file.content().change(Change::Cut(len));
        self.disk.stepped()
    }
}

/// What a disk writes as one, in octets.
const BLOCK_LEN: usize = 512;
