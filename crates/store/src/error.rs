//! What can go wrong, sorted by what the caller does next.

use std::io;

use crate::OpenError;

/// An operation on the store did not happen, or nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full: try later, when there is room.
    #[error("the disk is full")]
    Full,
    /// The disk or the database failed: try later.
    #[error("the store cannot write: {0}")]
    Disk(String),
    /// The commit failed half way: look by id whether it happened.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// The lease has gone to another node: drop the result.
    #[error("the lease of this shard belongs to another node now")]
    LeaseLost,
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

/// A message was not accepted; it still belongs to the sender. All of these are 4yz.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// Not enough room: 452 4.3.1.
    #[error("not enough room on the disk")]
    NoRoom,
    /// The store failed: 451 4.3.0.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An order of an operator could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperateError {
    /// No such item, now or in the history.
    #[error("no such item")]
    NoSuchItem,
    /// Nothing of the item is in a state to which the order applies.
    #[error("{0}")]
    NotApplicable(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A report was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// There is nothing to report any more.
    #[error("nothing of it is owed a report")]
    NotOwed,
    /// The report found no room, or the store failed: again later.
    #[error(transparent)]
    Accept(#[from] AcceptError),
}

/// A change of the directory could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The address is an account already.
    #[error("{0} is an account already")]
    AccountExists(String),
    /// The address is an alias already.
    #[error("{0} is an alias already; remove the alias first")]
    AliasExists(String),
    /// No account has this address.
    #[error("there is no account {0}")]
    NoSuchAccount(String),
    /// No alias has this address.
    #[error("there is no alias {0}")]
    NoSuchAlias(String),
    /// Another alias leads to the address.
    #[error("the alias {0} leads to this address; change or remove that alias first")]
    AliasLeadsHere(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The body's checksum does not match what the disk gave.
    #[error("the body of {item} is damaged on disk (segment {segment}, offset {offset})")]
    Damaged {
        /// The item that brought the body.
        item: String,
        /// The segment file.
        segment: i64,
        /// Where in the segment.
        offset: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreError {
    /// A full disk is told apart: it is not broken, and passes.
    pub(crate) fn from_io(error: &io::Error) -> Self {
        if io_is_full(error) {
            Self::Full
        } else {
            Self::Disk(error.to_string())
        }
    }
}

impl OpenError {
    /// Whether there was no room on the disk: nothing is broken then, and nothing lost.
    pub fn is_full(&self) -> bool {
        match self {
            Self::NotWritable { error, .. } | Self::Log(error) => io_is_full(error),
            Self::Database(error) => db_is_full(error),
            Self::NoBackup { error, .. } => error.is_full(),
            Self::Foreign { .. }
            | Self::InUse(_)
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::NoRoom { .. }
            | Self::NoDatabase { .. }
            | Self::Journal(_) => false,
        }
    }
}

/// Also when the error is one of the database in disguise.
pub(crate) fn io_is_full(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    ) || inner.is_some_and(db_is_full)
}

pub(crate) fn db_is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if db_is_full(&error) {
            Self::Full
        } else {
            Self::Disk(error.to_string())
        }
    }
}

impl From<rusqlite::Error> for OperateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for DirectoryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for AcceptError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<StoreError> for ReportError {
    fn from(error: StoreError) -> Self {
        Self::Accept(error.into())
    }
}

impl From<rusqlite::Error> for ReportError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Accept(error.into())
    }
}

/// Errors that may have a fault of the store in them.
pub(crate) trait StoreFault {
    /// The fault, unless the error is the caller's.
    fn store_fault(&self) -> Option<&StoreError>;
}

impl StoreFault for StoreError {
    fn store_fault(&self) -> Option<&StoreError> {
        Some(self)
    }
}

macro_rules! has_store_fault {
    ($($error:ident),*) => {$(
        impl StoreFault for $error {
            fn store_fault(&self) -> Option<&StoreError> {
                match self {
                    Self::Store(fault) => Some(fault),
                    _ => None,
                }
            }
        }
    )*};
}

impl StoreFault for ReportError {
    fn store_fault(&self) -> Option<&StoreError> {
        match self {
            Self::NotOwed => None,
            Self::Accept(error) => error.store_fault(),
        }
    }
}

has_store_fault!(AcceptError, OperateError, DirectoryError, ReadError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart() {
        let db = || {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            rusqlite::Error::SqliteFailure(full, None)
        };
        assert!(OpenError::Database(db()).is_full());
        assert!(OpenError::Log(io::Error::other(db())).is_full());
        assert!(OpenError::Log(io::ErrorKind::StorageFull.into()).is_full());
        assert!(!OpenError::Log(io::ErrorKind::NotFound.into()).is_full());
        assert!(!OpenError::Database(rusqlite::Error::QueryReturnedNoRows).is_full());
        assert_eq!(StoreError::from(db()), StoreError::Full);
    }
}
