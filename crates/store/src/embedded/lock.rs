//! One program at a time on a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
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
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("lock");
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |error| OpenError::NotWritable { path, error }
        };
        let locked = File::open(folder).map_err(refused(folder))?;
        let taken = locked.try_lock();
        if let Err(TryLockError::Error(error)) = taken {
            return Err(refused(folder)(error));
        }
        let mut note = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(refused(&path))?;
        if taken.is_err() {
            let mut text = String::new();
            let _ = note.read_to_string(&mut text);
            let pid = text.trim().parse().ok();
            return Err(OpenError::InUse(LockHolder { pid }));
        }
        // The number only helps people; the lock itself is what counts.
        let _ = note
            .set_len(0)
            .and_then(|()| note.rewind())
            .and_then(|()| writeln!(note, "{}", std::process::id()));
        Ok(Self { _folder: locked })
    }
}
