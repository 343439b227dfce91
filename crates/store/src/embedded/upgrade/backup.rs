//! The copy of the database that an upgrade makes first: `postrider.db.schema-2.backup`.
//!
//! A copy has its name only when it is whole and on the disk. One that is there is never written
//! over: when it is not what the database holds now (an old program has worked in between, say),
//! the next gets a number: `postrider.db.schema-2.backup-2`.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::same::same_content;
use crate::embedded::{DATABASE, OpenError, database};
use crate::error::{db_is_full, io_is_full};

/// Why a copy was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be made, forced to disk or renamed.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The database cannot be read, or the copy not be written.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// What was written is not whole: the database itself is damaged, or the disk is.
    #[error("it is not whole: {0}")]
    NotWhole(String),
}

impl BackupError {
    /// Whether there was no room for it.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::File(error) => io_is_full(error),
            Self::Database(error) => db_is_full(error),
            Self::NotWhole(_) => false,
        }
    }
}

/// Whether a file of the data folder is named as a copy is, finished or not.
pub(in crate::embedded) fn is_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let Some(rest) = name.strip_prefix(DATABASE) else {
        return false;
    };
    rest == UNFINISHED || (rest.starts_with(".schema-") && rest.contains(".backup"))
}

/// Whether there is any copy of a schema.
pub(super) fn exists(folder: &Path, schema: u32) -> bool {
    name(folder, schema, 1).exists()
}

/// A copy that holds what the database holds now: a start has died behind it.
pub(super) fn find(
    db: &Connection,
    folder: &Path,
    schema: u32,
) -> Result<Option<PathBuf>, OpenError> {
    for path in taken(folder, schema) {
        let copy = database::open_untouched(&path);
        // One that cannot be read is somebody's, and no copy.
        if copy.is_ok_and(|copy| same_content(db, &copy).unwrap_or(false)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Copies the database under a name that is free, for its owner only; on the disk when it returns.
pub(super) fn make(db: &Connection, folder: &Path, schema: u32) -> Result<PathBuf, OpenError> {
    let path = name(folder, schema, taken(folder, schema).count() + 1);
    let unfinished = unfinished(folder);
    let made = copy(db, &unfinished).and_then(|()| {
        std::fs::rename(&unfinished, &path)?;
        Ok(File::open(folder)?.sync_all()?)
    });
    match made {
        Ok(()) => Ok(path),
        Err(error) => {
            // What cannot be removed now is removed by the next start.
            let _ = remove_unfinished(folder);
            Err(OpenError::NoBackup { path, error })
        }
    }
}

/// Removes what a start that died has left of a copy.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    match std::fs::remove_file(unfinished(folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy(db: &Connection, path: &Path) -> Result<(), BackupError> {
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    {
        let mut to = Connection::open(path)?;
        // Nothing is beside the copy: it counts only when it is whole.
        to.pragma_update(None, "journal_mode", "OFF")?;
        to.pragma_update(None, "synchronous", "OFF")?;
        let step = Backup::new(db, &mut to)?.step(ALL_PAGES)?;
        if step != StepResult::Done {
            return Err(BackupError::NotWhole(format!("{step:?}")));
        }
    }
    file.sync_all()?;
    let whole: String =
        database::open_untouched(path)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if whole == "ok" {
        Ok(())
    } else {
        Err(BackupError::NotWhole(whole))
    }
}

/// The copies of a schema that are there.
fn taken(folder: &Path, schema: u32) -> impl Iterator<Item = PathBuf> {
    (1..)
        .map(move |number| name(folder, schema, number))
        .take_while(|path| path.symlink_metadata().is_ok())
}

fn name(folder: &Path, schema: u32, number: usize) -> PathBuf {
    let number = match number {
        1 => String::new(),
        more => format!("-{more}"),
    };
    folder.join(format!("{DATABASE}.schema-{schema}.backup{number}"))
}

fn unfinished(folder: &Path) -> PathBuf {
    folder.join(format!("{DATABASE}{UNFINISHED}"))
}

const UNFINISHED: &str = ".backup-unfinished";
const ALL_PAGES: i32 = -1;
