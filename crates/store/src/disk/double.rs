//! A disk in memory, for tests and simulations: it forgets what was not synced when its power
//! fails, and it fails when told to, or now and then by chance. Not part of the contract.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::{Disk, DiskFile, Space};

mod crash;
mod faults;
mod file;
mod names;
mod octets;
#[cfg(test)]
mod tests;

pub use faults::{Fault, Lie, Odds};

use faults::{EIO, ENOSPC, Faults, Step};
use file::{MemoryFile, OpenFile};
use names::Names;

/// The disk; clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

struct State {
    names: Names,
    faults: Faults,
    /// Files longer than this do not sync.
    sync_max: Option<usize>,
    free: Option<u64>,
    /// Nothing can become longer, and nothing can be made.
    full: bool,
    rng: SmallRng,
    /// Who hears of faults that chance has made.
    listener: Option<Listener>,
}

/// Hears what a disk does to those who use it.
type Listener = Arc<dyn Fn(&str) + Send + Sync>;

impl Default for State {
    fn default() -> Self {
        Self {
            names: Names::default(),
            faults: Faults::default(),
            sync_max: None,
            free: None,
            full: false,
            rng: SmallRng::seed_from_u64(0),
            listener: None,
        }
    }
}

impl MemoryDisk {
    /// An empty one whose chance comes from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let disk = Self::default();
        disk.state().rng = SmallRng::seed_from_u64(seed);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call that fits fails.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.inject(fault);
    }

    /// Takes back the faults that nothing has met yet.
    pub fn forget_faults(&self) {
        self.state().faults.forget();
    }

    /// From now on calls fail by chance.
    pub fn set_odds(&self, odds: Odds) {
        self.state().faults.odds = odds;
    }

    /// Has it lie: a bug that a simulation should find.
    pub fn tell_lie(&self, lie: Option<Lie>) {
        self.state().faults.lie = lie;
    }

    /// Tells of each fault that chance makes.
    pub fn listen(&self, listener: impl Fn(&str) + Send + Sync + 'static) {
        self.state().listener = Some(Arc::new(listener));
    }

    /// Ends with the step that comes so many steps from now: nothing reaches the disk any more, each
    /// call fails, and `ended` is called once. Each change of a file or a folder is two steps: one in
    /// front of it and one behind it.
    pub fn end_in(&self, steps: u64, ended: impl FnOnce() + Send + 'static) {
        self.state().faults.end_in(steps, Box::new(ended));
    }

    /// Ends now: nothing reaches the disk any more, and each call fails.
    pub fn end(&self) {
        self.state().faults.end();
    }

    /// Pretends that so many octets are free of 100 GiB.
    pub fn set_free(&self, free: u64) {
        self.state().free = Some(free);
    }

    /// Whether nothing can become longer and nothing can be made.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// Until told otherwise files longer than this do not sync.
    pub fn set_sync_max(&self, len: Option<usize>) {
        self.state().sync_max = len;
    }

    /// Turns one bit over, durably. There is such a file.
    pub fn flip_bit(&self, name: &str, offset: usize) {
        if let Some(file) = self.state().names.now.get(name) {
            file.content().flip_bit(offset);
        }
    }

    fn hand_out(&self, file: Arc<MemoryFile>) -> Arc<dyn DiskFile> {
        let disk = self.clone();
        Arc::new(OpenFile { disk, file })
    }

    /// Whether a call may go on. Who listens is told why not.
    fn step(&self, step: Step) -> Result<(), Trouble> {
        let (met, listener) = {
            let mut state = self.state();
            let State { faults, rng, .. } = &mut *state;
            (faults.meet(step, rng), state.listener.clone())
        };
        let Err(met) = met else { return Ok(()) };
        if let (true, Some(listener)) = (met.trouble.by_chance, listener) {
            listener(&format!("{step:?} fails"));
        }
        if let Some(ended) = met.ended {
            ended();
        }
        Err(met.trouble)
    }

    /// A change has been made: the disk may end behind it.
    fn stepped(&self) -> io::Result<()> {
        let ended = self.state().faults.count();
        match ended {
            Ok(()) => Ok(()),
            Err(ended) => {
                if let Some(ended) = ended {
                    ended();
                }
                Err(io::Error::from_raw_os_error(EIO))
            }
        }
    }
}

/// Why a call fails, and how much of it is done.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    errno: i32,
    /// Half of what should be written is.
    half: bool,
    /// Chance has it so: what was not synced is lost in part, or all of it.
    by_chance: bool,
    /// The disk has ended: nothing changes any more.
    ended: bool,
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        Self::from_raw_os_error(trouble.errno)
    }
}

impl Disk for MemoryDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.step(Step::Create)?;
        let file = Arc::new(MemoryFile::default());
        let mut state = self.state();
        if state.full {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        state.names.create(name, &file)?;
        drop(state);
        self.stepped()?;
        Ok(self.hand_out(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.step(Step::Look)?;
        let file = self.state().names.now.get(name).cloned();
        file.map(|file| self.hand_out(file))
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step(Step::Rename)?;
        self.state().names.rename(from, to)?;
        self.stepped()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(Step::Remove)?;
        self.state().names.remove(name)?;
        self.stepped()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.step(Step::Look)?;
        Ok(self.state().names.now.keys().cloned().collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        if let Err(trouble) = self.step(Step::SyncFolder) {
            if trouble.by_chance {
                let mut state = self.state();
                let State { names, rng, .. } = &mut *state;
                names.fail_sync(rng);
            }
            return Err(trouble.into());
        }
        let mut state = self.state();
        if state.faults.lie != Some(Lie::SyncFolder) {
            state.names.sync();
        }
        drop(state);
        self.stepped()
    }

    fn space(&self) -> io::Result<Space> {
        self.step(Step::Look)?;
        const TOTAL: u64 = 100 << 30;
        let state = self.state();
        let free = if state.full { Some(0) } else { state.free };
        Ok(Space {
            free: free.unwrap_or(TOTAL),
            total: TOTAL,
        })
    }
}

/// Names of files.
type Files = BTreeMap<String, Arc<MemoryFile>>;
