//! Why a request gets no answer, sorted by what the asker's shell does next.

use serde::{Deserialize, Serialize};
use store::{DirectoryError, OperateError, ReadError, StoreError};

/// A request that was not fulfilled: one line for people, and its kind for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind of refusal.
    pub kind: Kind,
    /// What was wrong, and what to do about it.
    pub message: String,
}

impl Refusal {
    /// A refusal of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

/// Kinds of refusals; each has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was asked for is not there.
    NotFound,
    /// The request is not well made.
    Usage,
    /// A value in it is not valid.
    Data,
    /// No such account or alias.
    NoUser,
    /// Something that is needed is not there now.
    Unavailable,
    /// The disk or the database failed.
    Io,
    /// Try again later.
    TempFail,
    /// The asker may not.
    NoPerm,
    /// The configuration does not allow it.
    Config,
}

impl Kind {
    /// The exit code of a command that meets it, as in sysexits.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 1,
            Self::Usage => 64,
            Self::Data => 65,
            Self::NoUser => 67,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::TempFail => 75,
            Self::NoPerm => 77,
            Self::Config => 78,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Full | StoreError::Disk(_) => Kind::Io,
            StoreError::Unknown(_) | StoreError::LeaseLost | StoreError::Closed => Kind::TempFail,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            damaged @ ReadError::Damaged { .. } => Self::new(Kind::Io, damaged.to_string()),
        }
    }
}

impl From<OperateError> for Refusal {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::NoSuchItem => Self::new(
                Kind::NotFound,
                "no such item in the queue; `postrider queue list` shows what is there",
            ),
            OperateError::NotApplicable(why) => Self::new(Kind::NotFound, why),
            OperateError::Store(error) => error.into(),
        }
    }
}

impl From<DirectoryError> for Refusal {
    fn from(error: DirectoryError) -> Self {
        let kind = match error {
            DirectoryError::Store(error) => return error.into(),
            DirectoryError::NoSuchAccount(_) | DirectoryError::NoSuchAlias(_) => Kind::NoUser,
            DirectoryError::AccountExists(_)
            | DirectoryError::AliasExists(_)
            | DirectoryError::AliasLeadsHere(_) => Kind::Data,
        };
        Self::new(kind, error.to_string())
    }
}
