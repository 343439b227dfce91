//! The unprivileged end: asks.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_acceptconn};

use super::wire::{Answer, parse_answer, write_request};
use super::{HandoffError, Request, WAIT_MAX, packet};

/// The child's end of the pair.
#[derive(Debug)]
pub struct Child {
    socket: OwnedFd,
    /// The number of the last request. Locked for the whole exchange: one at a time.
    last: Mutex<u32>,
}

impl Child {
    /// Takes up the end that came from [`pair`](super::pair), for instance with
    /// `std::io::stdin().as_fd().try_clone_to_owned()`.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        packet::check_socket(&socket)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(WAIT_MAX))?;
        Ok(Self {
            socket,
            last: Mutex::new(0),
        })
    }

    /// A listener on `addr` from the parent. Blocks.
    pub fn bind(&self, addr: SocketAddr) -> Result<TcpListener, HandoffError> {
        let passed = self.ask(Request::Bind(addr))?;
        let listener = TcpListener::from(passed);
        let is_it = socket_acceptconn(&listener)?
            && listener
                .local_addr()
                .is_ok_and(|got| got.ip() == addr.ip() && [0, got.port()].contains(&addr.port()));
        if is_it {
            Ok(listener)
        } else {
            Err(HandoffError::Malformed("a socket that was not asked for"))
        }
    }

    fn ask(&self, request: Request) -> Result<OwnedFd, HandoffError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.wrapping_add(1);
        packet::send(&self.socket, &write_request(*last, request), None)?;
        // Answers to requests that we gave up on may come first.
        for _ in 0..STALE_MAX {
            let (octets, passed) = packet::receive(&self.socket)?;
            let (number, answer) = parse_answer(&octets)?;
            if number != *last {
                continue;
            }
            return match answer {
                Answer::Refused(why) => Err(HandoffError::Refused(why)),
                Answer::Listener => passed.ok_or(HandoffError::Malformed("no socket came along")),
            };
        }
        Err(HandoffError::Malformed("answers to other requests only"))
    }
}

/// How many late answers are passed over.
const STALE_MAX: usize = 16;
