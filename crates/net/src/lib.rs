//! Sockets, clock, connection limits: the lowest crate that runs on tokio.
//!
//! A listener comes from [`listen::bind`], from systemd ([`activation`]) or from the privileged
//! parent ([`handoff`]). An [`Acceptor`] gives its connections, a [`Gate`] counts them, and a
//! [`Clock`] tells everybody the time. Who is at the other end of a Unix stream, tokio's own
//! `UnixStream::peer_cred` says.

mod accept;
pub mod activation;
pub mod clock;
mod dial;
pub mod dns;
mod gate;
pub mod handoff;
pub mod listen;

pub use accept::{Accept, Acceptor};
pub use clock::Clock;
pub use dial::{Dial, DialError, TcpDial};
pub use gate::{Full, Gate, Limits, Pass};
