//! One program at a time on a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::OpenError;

/// Who holds the data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    /// Its process id, when it has written it down.
    pub pid: Option<u32>,
}

/// The lock on the folder itself, which nobody takes for stale and removes. It goes with the value,
/// also when the process dies.
pub(crate) struct Lock {
    _folder: File,
}

impl Lock {
    /// Takes the lock, and changes no file: whose folder it is may still have to be seen.
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let locked = File::open(folder).map_err(refused(folder))?;
        match locked.try_lock() {
            Ok(()) => Ok(Self { _folder: locked }),
            Err(TryLockError::Error(error)) => Err(refused(folder)(error)),
            Err(TryLockError::WouldBlock) => {
                // Who made the lock may not have come to write its number down.
                let text = std::fs::read_to_string(folder.join(NOTE)).unwrap_or_default();
                let pid = text.trim().parse().ok();
                Err(OpenError::InUse(LockHolder { pid }))
            }
        }
    }

    /// Writes down who has it. The number only helps people; the lock itself is what counts.
    pub(crate) fn sign(&self, folder: &Path) -> Result<(), OpenError> {
        let path = folder.join(NOTE);
        let mut note = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(refused(&path))?;
        // A full disk has no room for the number, and keeps nobody from starting.
        let _ = writeln!(note, "{}", std::process::id());
        Ok(())
    }
}

fn refused(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_owned();
    move |error| OpenError::NotWritable { path, error }
}

const NOTE: &str = "lock";
