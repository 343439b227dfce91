//! How a disk fails: when told to, by chance, or for good.

use rand::RngExt;
use rand::rngs::SmallRng;

use super::Trouble;

/// What the next call of a kind does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A write fails with this error number.
    Write(i32),
    /// Half of a write is done.
    ShortWrite,
    /// Room cannot be taken: this error number.
    Reserve(i32),
    /// A sync of a file fails with this error number.
    Sync(i32),
    /// Making a file fails with this error number.
    Create(i32),
    /// A sync of the folder fails with this error number.
    SyncFolder(i32),
    /// Giving a file another name fails with this error number.
    Rename(i32),
    /// Making a file shorter fails with this error number.
    Cut(i32),
}

impl Fault {
    fn step(self) -> Step {
        match self {
            Self::Write(_) | Self::ShortWrite => Step::Write,
            Self::Reserve(_) => Step::Reserve,
            Self::Sync(_) => Step::Sync,
            Self::Create(_) => Step::Create,
            Self::SyncFolder(_) => Step::SyncFolder,
            Self::Rename(_) => Step::Rename,
            Self::Cut(_) => Step::Cut,
        }
    }

    fn trouble(self) -> Trouble {
        let (errno, half) = match self {
            Self::Write(errno)
            | Self::Reserve(errno)
            | Self::Sync(errno)
            | Self::Create(errno)
            | Self::SyncFolder(errno)
            | Self::Rename(errno)
            | Self::Cut(errno) => (errno, false),
            Self::ShortWrite => (0, true),
        };
        Trouble {
            errno,
            half,
            by_chance: false,
            ended: false,
        }
    }
}

/// How often calls fail by chance: one in so many; 0 for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    /// Of writes; half of what should be written may be. And of taking room.
    pub write: u32,
    /// Of syncs of files.
    pub sync: u32,
    /// Of syncs of the folder, and of files that are made or get another name.
    pub folder: u32,
}

/// What a disk says and does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Files are not synced.
    Sync,
    /// The folder is not synced.
    SyncFolder,
}

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing changes.
    Look,
    /// A file is written.
    Write,
    /// Room is taken for a file.
    Reserve,
    /// A file is synced.
    Sync,
    /// A file is made shorter.
    Cut,
    /// A file is made.
    Create,
    /// A file gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// The folder is synced.
    SyncFolder,
}

/// Called when a disk ends.
type Ended = Box<dyn FnOnce() + Send>;

/// What is to fail.
#[derive(Default)]
pub(super) struct Faults {
    next: Vec<Fault>,
    pub(super) odds: Odds,
    pub(super) lie: Option<Lie>,
    /// How many steps are left, and who is told.
    ends: Option<(u64, Ended)>,
    ended: bool,
}

/// What a call has met.
pub(super) struct Met {
    pub(super) trouble: Trouble,
    pub(super) ended: Option<Ended>,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.next.push(fault);
    }

    pub(super) fn forget(&mut self) {
        self.next.clear();
    }

    pub(super) fn end_in(&mut self, steps: u64, ended: Ended) {
        self.ends = Some((steps, ended));
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.ends = None;
    }

    /// Counts a step; the disk may end with it.
    pub(super) fn count(&mut self) -> Result<(), Option<Ended>> {
        if self.ended {
            return Err(None);
        }
        match self.ends.take() {
            None => Ok(()),
            Some((0, ended)) => {
                self.ended = true;
                Err(Some(ended))
            }
            Some((left, ended)) => {
                self.ends = Some((left - 1, ended));
                Ok(())
            }
        }
    }

    /// What a call meets before it does anything.
    pub(super) fn meet(&mut self, step: Step, rng: &mut SmallRng) -> Result<(), Met> {
        let over = |ended| Met {
            trouble: Trouble {
                errno: EIO,
                half: false,
                by_chance: false,
                ended: true,
            },
            ended,
        };
        if step == Step::Look {
            return if self.ended { Err(over(None)) } else { Ok(()) };
        }
        self.count().map_err(over)?;
        if let Some(at) = self.next.iter().position(|fault| fault.step() == step) {
            return Err(Met {
                trouble: self.next.remove(at).trouble(),
                ended: None,
            });
        }
        self.by_chance(step, rng)
    }

    fn by_chance(&self, step: Step, rng: &mut SmallRng) -> Result<(), Met> {
        let one_in = match step {
            Step::Write | Step::Reserve => self.odds.write,
            Step::Sync => self.odds.sync,
            Step::Create | Step::Rename | Step::SyncFolder => self.odds.folder,
            Step::Look | Step::Cut | Step::Remove => 0,
        };
        if one_in == 0 || rng.random_range(0..one_in) > 0 {
            return Ok(());
        }
        let half = step == Step::Write && rng.random();
        Err(Met {
            trouble: Trouble {
                errno: EIO,
                half,
                by_chance: true,
                ended: false,
            },
            ended: None,
        })
    }
}

/// "Input/output error".
pub(super) const EIO: i32 = 5;
/// "No space left on device".
pub(super) const ENOSPC: i32 = 28;
