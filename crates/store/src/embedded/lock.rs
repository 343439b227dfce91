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

/// The lock; it goes with the value, also when the process dies.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| OpenError::NotWritable { path, error })?;
        match file.try_lock() {
            Ok(()) => {
                // The number only helps people; the lock itself is what counts.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| writeln!(file, "{}", std::process::id()));
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                Err(OpenError::InUse(LockHolder {
                    pid: text.trim().parse().ok(),
                }))
            }
            Err(TryLockError::Error(error)) => Err(OpenError::NotWritable {
                path: folder.join("lock"),
                error,
            }),
        }
    }
}
