//! A disk in memory that forgets what was not synced, and fails when told to.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile, Space};

/// What the next call of a kind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Write(i32),
    ShortWrite,
    Sync(i32),
    Create(i32),
    SyncFolder(i32),
}

/// The disk; clones share it.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<MemoryFile>>,
    /// The names that a power cut leaves.
    durable_names: BTreeMap<String, Arc<MemoryFile>>,
    faults: Vec<Fault>,
    /// Files longer than this do not sync.
    sync_max: Option<usize>,
    free: Option<u64>,
}

struct MemoryFile {
    disk: MemoryDisk,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

impl MemoryDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call that fits fails.
    pub(crate) fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Takes back the faults that nothing has met yet.
    pub(crate) fn forget_faults(&self) {
        self.state().faults.clear();
    }

    /// Pretends that so many octets are free of 100 GiB.
    pub(crate) fn set_free(&self, free: u64) {
        self.state().free = Some(free);
    }

    /// Until told otherwise files longer than this do not sync.
    pub(crate) fn set_sync_max(&self, len: Option<usize>) {
        self.state().sync_max = len;
    }

    /// The power fails: what was not synced is gone.
    pub(crate) fn cut_power(&self) {
        let mut state = self.state();
        state.files = state.durable_names.clone();
        for file in state.files.values() {
            let mut content = file.content();
            content.now = content.durable.clone();
        }
    }

    /// Another disk with the same content.
    pub(crate) fn copied(&self) -> Self {
        let (copy, state) = (Self::default(), self.state());
        for (name, file) in &state.files {
            let content = Mutex::new(file.content().clone());
            let disk = copy.clone();
            let file = Arc::new(MemoryFile { disk, content });
            copy.state().files.insert(name.clone(), file);
        }
        let mut files = copy.state().files.clone();
        files.retain(|name, _| state.durable_names.contains_key(name));
        copy.state().durable_names = files;
        copy.state().free = state.free;
        drop(state);
        copy
    }

    /// Turns one bit over, durably.
    pub(crate) fn flip_bit(&self, name: &str, offset: usize) {
        let state = self.state();
        let mut content = state.files[name].content();
        content.now[offset] ^= 1;
        content.durable[offset] ^= 1;
    }

    fn fault(&self, fits: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut state = self.state();
        let at = state.faults.iter().position(|f| fits(*f))?;
        Some(state.faults.remove(at))
    }
}

impl MemoryFile {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for MemoryDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(Fault::Create(errno)) = self.fault(|f| matches!(f, Fault::Create(_))) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let file = Arc::new(MemoryFile {
            disk: self.clone(),
            content: Mutex::default(),
        });
        let mut state = self.state();
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.state().files.get(name).cloned();
        file.map(|f| f as Arc<dyn DiskFile>)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state()
            .files
            .remove(name)
            .map(drop)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        if let Some(Fault::SyncFolder(errno)) = self.fault(|f| matches!(f, Fault::SyncFolder(_))) {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut state = self.state();
        state.durable_names = state.files.clone();
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        const TOTAL: u64 = 100 << 30;
        Ok(Space {
            free: self.state().free.unwrap_or(TOTAL),
            total: TOTAL,
        })
    }
}

impl DiskFile for MemoryFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let fault = self
            .disk
            .fault(|f| matches!(f, Fault::Write(_) | Fault::ShortWrite));
        let take = match fault {
            Some(Fault::Write(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(_) => bytes.len() / 2,
            None => bytes.len(),
        };
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut content = self.content();
        if content.now.len() < offset + take {
            content.now.resize(offset + take, 0);
        }
        content.now[offset..offset + take].copy_from_slice(&bytes[..take]);
        if take < bytes.len() {
            Err(io::ErrorKind::WriteZero.into())
        } else {
            Ok(())
        }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let content = self.content();
        let part = content.now.get(offset..offset + bytes.len());
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let too_long = self
            .disk
            .state()
            .sync_max
            .is_some_and(|max| self.content().now.len() > max);
        let fault = self.disk.fault(|f| matches!(f, Fault::Sync(_)));
        let fault = fault.or(too_long.then_some(Fault::Sync(5)));
        if let Some(Fault::Sync(errno)) = fault {
            // As Linux does: what could not be written is given up, and the next sync says "fine".
            let mut content = self.content();
            content.now = content.durable.clone();
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut content = self.content();
        content.durable = content.now.clone();
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.content().now.len() as u64)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.content().now.truncate(len);
        Ok(())
    }
}
