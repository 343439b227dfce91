//! How the unprivileged server gets listeners on privileged ports from the parent that is still
//! root.
//!
//! Parent and child hold the two ends of a Unix socket pair that keeps packets apart. The child
//! sends one small [`Request`], the parent answers with a file descriptor or with a sentence. The
//! parent trusts nothing that the child says: packets are short and strictly read, file
//! descriptors from the child are thrown away, and what may be opened is the caller's decision.
//! Calls block, each with a deadline: they are for the start and for reloads, from a thread that
//! may wait.

mod child;
mod packet;
mod parent;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub use child::Child;
pub use parent::{Parent, Served};

/// The two ends. The parent keeps its own and gives the other to the child as its standard input,
/// where [`Child::new`] takes it up.
pub fn pair() -> io::Result<(Parent, OwnedFd)> {
    let (parent, child) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    Ok((Parent::new(parent)?, child))
}

/// What a child may ask for.
///
/// Kind 2 on the wire is kept free for running a program as another user, for pipes and PAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A listener on this address.
    Bind(SocketAddr),
}

/// Why a request had no good end.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The parent said no, and why.
    #[error("{0}")]
    Refused(String),
    /// The other end has gone.
    #[error("the other process has ended")]
    Closed,
    /// The other end did not answer in time.
    #[error("the other process did not answer within {} s", WAIT_MAX.as_secs())]
    Timeout,
    /// The other end sent something that is not in the protocol.
    #[error("the other process sent something else than agreed: {0}")]
    Malformed(&'static str),
    /// The socket itself failed.
    #[error("cannot speak with the other process: {0}")]
    Io(#[source] io::Error),
}

impl From<rustix::io::Errno> for HandoffError {
    fn from(errno: rustix::io::Errno) -> Self {
        use rustix::io::Errno;
        match errno {
            Errno::AGAIN | Errno::TIMEDOUT => Self::Timeout,
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Closed,
            errno => Self::Io(errno.into()),
        }
    }
}

/// How long the child waits for an answer, and either side until a packet can be sent.
const WAIT_MAX: Duration = Duration::from_secs(10);
