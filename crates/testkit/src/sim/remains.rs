//! What is left of a server that came to an end: its database as the last commit has it, and its
//! disk.

use std::path::Path;

use anyhow::Context;
use store::DATABASE;
use store::double::MemoryDisk;

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The process ends: what it has written is there, also what was not synced.
    Process,
    /// The power fails: what was not synced is there, is lost, or is torn.
    Power,
}

/// What the next start goes on with.
pub(super) struct Remains {
    pub(super) folder: tempfile::TempDir,
    pub(super) disk: MemoryDisk,
}

impl Remains {
    /// Of a server that works no more: its disk has ended, and nobody writes into its database.
    ///
    /// A commit is durable as a whole: what SQLite syncs is taken for synced. One that had not
    /// reached its end is not there.
    pub(super) fn of(folder: &Path, disk: &MemoryDisk, death: Death) -> anyhow::Result<Self> {
        let left = folder_in_memory()?;
        for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
            let from = folder.join(&name);
            if from.exists() {
                std::fs::copy(&from, left.path().join(&name))
                    .with_context(|| format!("copying {name}"))?;
            }
        }
        let disk = match death {
            Death::Process => disk.copied(),
            Death::Power => disk.after_power_cut(),
        };
        Ok(Self { folder: left, disk })
    }
}

/// A folder in memory, where there is one.
pub(super) fn folder_in_memory() -> anyhow::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    Ok(folder?)
}
