//! The unprivileged end: asks.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
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

    /// A listener on `addr` from the parent; `None` when a dual-stack socket that came for another
    /// address serves this one too. Blocks.
    pub fn bind(&self, addr: SocketAddr) -> Result<Option<TcpListener>, HandoffError> {
        let Some(passed) = self.ask(Request::Bind(addr))? else {
            return Ok(None);
        };
        let listener = TcpListener::from(passed);
        let is_it = socket_acceptconn(&listener)?
            && listener.local_addr().is_ok_and(|got| serves(got, addr));
        if is_it {
            Ok(Some(listener))
        } else {
            Err(HandoffError::Malformed("a socket that was not asked for"))
        }
    }

    fn ask(&self, request: Request) -> Result<Option<OwnedFd>, HandoffError> {
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
                Answer::Served => Ok(None),
                Answer::Listener => passed
                    .map(Some)
                    .ok_or(HandoffError::Malformed("no socket came along")),
            };
        }
        Err(HandoffError::Malformed("answers to other requests only"))
    }
}

/// Whether a socket that listens on `got` can be the one for `wanted`: `[::]` may take IPv4 too.
fn serves(got: SocketAddr, wanted: SocketAddr) -> bool {
    let dual_stack = got.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && wanted.is_ipv4();
    (got.ip() == wanted.ip() || dual_stack) && [0, got.port()].contains(&wanted.port())
}

/// How many late answers are passed over.
const STALE_MAX: usize = 16;
