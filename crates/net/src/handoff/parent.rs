//! The privileged end: answers requests, trusts nobody.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

use super::wire::{Answer, parse_request, write_answer};
use super::{HandoffError, Request, packet};

/// The parent's end of the pair.
#[derive(Debug)]
pub struct Parent {
    socket: OwnedFd,
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// A request was answered, with yes or no.
    Answered,
    /// The child has ended: there will be no more requests.
    ChildGone,
}

impl Parent {
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        packet::check_socket(&socket)?;
        Ok(Self { socket })
    }

    /// Waits for one request and answers it as `decide` says: with a listener, with `None` when one
    /// that the child has serves that address too, or with a sentence for the operator. It is `decide` that knows which addresses are allowed; it must check.
    ///
    /// Waits without limit for a request: a child need not ever have one. After an error the child
    /// is not to be trusted further.
    pub fn serve_one(
        &self,
        decide: impl FnOnce(Request) -> Result<Option<TcpListener>, String>,
    ) -> Result<Served, HandoffError> {
        let octets = match packet::receive_plain(&self.socket) {
            Err(HandoffError::Closed) => return Ok(Served::ChildGone),
            received => received?,
        };
        let (number, request) = parse_request(&octets)?;
        match decide(request) {
            Ok(Some(listener)) => {
                let octets = write_answer(number, &Answer::Listener);
                packet::send(&self.socket, &octets, Some(listener.as_fd()))?;
            }
            Ok(None) => {
                let octets = write_answer(number, &Answer::Served);
                packet::send(&self.socket, &octets, None)?;
            }
            Err(why) => {
                let octets = write_answer(number, &Answer::Refused(why));
                packet::send(&self.socket, &octets, None)?;
            }
        }
        Ok(Served::Answered)
    }
}

impl AsFd for Parent {
    /// For a parent that waits for other things too.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
