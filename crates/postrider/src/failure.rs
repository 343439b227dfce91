//! How a command ends: its exit code, and for people one line of cause and one of what to do.

use std::fmt;

use serde::Serialize;

/// Exit codes, as in sysexits.
pub(crate) mod code {
    /// Done.
    pub(crate) const DONE: u8 = 0;
    /// The answer is no: nothing found, or problems found.
    pub(crate) const NO: u8 = 1;
    /// The command line is wrong.
    pub(crate) const USAGE: u8 = 64;
    /// A value is wrong, or data is of another version.
    pub(crate) const DATAERR: u8 = 65;
    /// A user of the system is not there.
    pub(crate) const NOUSER: u8 = 67;
    /// Something that is needed is not there now.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// A fault of ours.
    pub(crate) const SOFTWARE: u8 = 70;
    /// The system refused something.
    pub(crate) const OSERR: u8 = 71;
    /// A file or folder cannot be made.
    pub(crate) const CANTCREAT: u8 = 73;
    /// Reading or writing failed.
    pub(crate) const IOERR: u8 = 74;
    /// Not now.
    pub(crate) const TEMPFAIL: u8 = 75;
    /// Not by this user.
    pub(crate) const NOPERM: u8 = 77;
    /// The configuration is wrong.
    pub(crate) const CONFIG: u8 = 78;
}

/// Why a command did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// One of [`code`].
    #[serde(rename = "exit_code")]
    pub(crate) code: u8,
    /// What happened, naming the thing.
    pub(crate) cause: String,
    /// What to do; may be empty when the cause says it.
    #[serde(rename = "what_to_do")]
    pub(crate) way_out: String,
}

impl Failure {
    /// A failure with its way out.
    pub(crate) fn new(code: u8, cause: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            code,
            cause: cause.into(),
            way_out: way_out.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        if !self.way_out.is_empty() {
            write!(f, "\nwhat to do: {}", self.way_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<admin::Refusal> for Failure {
    fn from(refusal: admin::Refusal) -> Self {
        Self::new(refusal.kind.exit_code(), refusal.message, "")
    }
}

/// An error of reading or writing with no better name.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(code::IOERR, error.to_string(), "")
    }
}
