//! Takes connections from a listener, and goes on whatever happens to single ones.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Somebody to whom others connect: the network, or one that a test has made.
pub trait Accept: Send + 'static {
    /// The octets of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection and the address of its peer. May be cancelled at any time without
    /// losing a connection.
    fn accept(&mut self) -> impl Future<Output = (Self::Stream, SocketAddr)> + Send;
}

/// A listener that always has a next connection.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    /// Failures since the last success that called for a pause.
    failures: u32,
    /// Dropped behind the listener: whoever waits for that knows that the port is free.
    open: watch::Sender<()>,
}

impl Acceptor {
    /// Takes over a listening socket. Must be called within a tokio runtime.
    pub fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            failures: 0,
            open: watch::Sender::new(()),
        })
    }

    /// Is done when this acceptor has been dropped and its socket closed.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut open = self.open.subscribe();
        async move { while open.changed().await.is_ok() {} }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Accept for Acceptor {
    type Stream = TcpStream;

    /// The next connection and the address of its peer; an IPv4 address in IPv6 clothes is given
    /// as IPv4.
    ///
    /// When the machine has no file descriptor or memory left, it waits a while, longer each
    /// time, for connections to close.
    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    self.failures = 0;
                    // Replies are small and awaited. A peer that has gone already shows later.
                    let _ = stream.set_nodelay(true);
                    return (stream, unmapped(peer));
                }
                Err(error) if concerns_one_connection(&error) => {
                    tracing::debug!(%error, "a connection went away before it was accepted");
                }
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    let pause = pause_after(self.failures);
                    // The 1st, 2nd, 4th, 8th ...: a long shortage does not flood the log.
                    if self.failures.is_power_of_two() {
                        tracing::warn!(%error, ?pause, "cannot accept connections");
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

fn unmapped(peer: SocketAddr) -> SocketAddr {
    match peer.ip().to_canonical() {
        ip if ip == peer.ip() => peer, // keeps the scope of a link-local address
        ip => SocketAddr::new(ip, peer.port()),
    }
}

/// Linux passes on errors that already wait on the new connection (accept(2)); and the peer may
/// have gone, or a packet filter may have said no. The listener itself is well.
fn concerns_one_connection(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .map(Errno::from_raw_os_error)
        .is_some_and(|errno| CONNECTION_ERRORS.contains(&errno))
}

fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(PAUSE_DOUBLINGS_MAX);
    (PAUSE_MIN * (1 << doublings)).min(PAUSE_MAX)
}

const CONNECTION_ERRORS: [Errno; 14] = [
    Errno::CONNABORTED,
    Errno::CONNRESET,
    Errno::INTR,
    Errno::PERM,
    Errno::PROTO,
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETUNREACH,
    Errno::TIMEDOUT,
    Errno::AGAIN,
];

const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// More than it takes from the shortest pause to the longest.
const PAUSE_DOUBLINGS_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::listen;

    #[tokio::test]
    async fn connections_come_with_the_address_of_their_peer() {
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut acceptor = Acceptor::new(listener).unwrap();
        let addr = acceptor.local_addr().unwrap();
        for _ in 0..3 {
            let (client, (mut server, peer)) =
                tokio::join!(TcpStream::connect(addr), acceptor.accept());
            let mut client = client.unwrap();
            assert_eq!(peer, client.local_addr().unwrap());
            assert!(server.nodelay().unwrap());
            server.write_all(b"220").await.unwrap();
            let mut greeting = [0; 3];
            client.read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"220");
        }
    }

    #[test]
    fn ipv4_in_ipv6_is_ipv4() {
        for (peer, expect) in [
            ("[::ffff:192.0.2.1]:25", "192.0.2.1:25"),
            ("192.0.2.1:25", "192.0.2.1:25"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
            ("[fe80::1%3]:25", "[fe80::1%3]:25"),
        ] {
            assert_eq!(unmapped(peer.parse().unwrap()), expect.parse().unwrap());
        }
    }

    #[test]
    fn only_shortage_makes_it_pause() {
        for errno in [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::NOBUFS,
            Errno::BADF,
        ] {
            assert!(!concerns_one_connection(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::PERM, Errno::NETUNREACH] {
            assert!(concerns_one_connection(&errno.into()), "{errno}");
        }
    }

    /// Runs the test below in a process of its own: the limit is the whole process's.
    #[test]
    fn a_shortage_of_descriptors_passes() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "accept::tests::in_the_child", "--nocapture"])
            .args(["--test-threads", "1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("survived"),
            "{output:?}"
        );
    }

    #[tokio::test]
    async fn in_the_child() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        if std::env::var_os(CHILD).is_none() {
            return; // not the child
        }
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut acceptor = Acceptor::new(listener).unwrap();
        let client = TcpStream::connect(acceptor.local_addr().unwrap())
            .await
            .unwrap();
        let before = getrlimit(Resource::Nofile);
        let none = Rlimit {
            current: Some(0),
            ..before
        };
        setrlimit(Resource::Nofile, none).unwrap();
        let early = tokio::time::timeout(Duration::from_millis(50), acceptor.accept()).await;
        assert!(early.is_err() && acceptor.failures > 1);
        setrlimit(Resource::Nofile, before).unwrap();
        let (_stream, peer) = acceptor.accept().await;
        assert_eq!(peer, client.local_addr().unwrap());
        assert_eq!(acceptor.failures, 0);
        eprintln!("survived");
    }

    const CHILD: &str = "POSTRIDER_TEST_SHORTAGE";

    #[test]
    fn pauses_grow_to_a_limit() {
        for (failures, millis) in [(1, 10), (2, 20), (4, 80), (8, 1000), (u32::MAX, 1000)] {
            assert_eq!(pause_after(failures), Duration::from_millis(millis));
        }
    }
}
