//! Connections outward.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mailtypes::Timestamp;
use rustix::io::Errno;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

use crate::Clock;

/// Somebody who connects to others: the network, or one that a test has made.
pub trait Dial: Clone + Send + Sync + 'static {
    /// The octets of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Connects before `deadline`.
    fn dial(
        &self,
        to: SocketAddr,
        deadline: Timestamp,
    ) -> impl Future<Output = Result<Self::Stream, DialError>> + Send;

    /// Takes what has come, without waiting: `None` when nothing has, 0 octets at the end.
    fn look(stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(stream).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(read) => read.map(|()| Some(buffer.filled().len())),
            Poll::Pending => Ok(None),
        }
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// Nobody answered for so long.
    #[error("no answer to the connection for {} s", .0.as_secs())]
    Timeout(Duration),
    /// The network knows no way.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It is this machine that cannot.
    #[error("this machine cannot connect: {0}")]
    Local(String),
}

/// Connects by TCP.
#[derive(Clone, Debug)]
pub struct TcpDial {
    clock: Clock,
}

impl TcpDial {
    /// Deadlines are those of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Dial for TcpDial {
    type Stream = TcpStream;

    async fn dial(&self, to: SocketAddr, deadline: Timestamp) -> Result<TcpStream, DialError> {
        let began = self.clock.now();
        let connected = tokio::select! {
            biased;
            connected = connect(to) => connected,
            () = self.clock.sleep_until(deadline) => {
                return Err(DialError::Timeout(deadline.since(began)));
            }
        };
        connected.map_err(|error| sorted(&error, deadline.since(began)))
    }

    /// Asks the socket itself: what the runtime knows of it may be a moment old.
    fn look(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match (&*SockRef::from(&*stream)).read(buffer) {
            Ok(len) => Ok(Some(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    let stream = socket.connect(to).await?;
    // Commands are small and their replies awaited.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whose fault it is.
fn sorted(error: &io::Error, waited: Duration) -> DialError {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::CONNREFUSED) => DialError::Refused,
        Some(Errno::TIMEDOUT) => DialError::Timeout(waited),
        Some(Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::CONNRESET | Errno::ACCESS) => {
            DialError::Unreachable(error.to_string())
        }
        _ => DialError::Local(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen;

    #[tokio::test]
    async fn connects_or_says_why_not() {
        let clock = Clock::system();
        let dial = TcpDial::new(clock.clone());
        let deadline = clock.now() + Duration::from_secs(10);
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = listener.local_addr().unwrap();
        let stream = dial.dial(to, deadline).await.unwrap();
        assert!(stream.nodelay().unwrap());
        drop((listener, stream));
        assert_eq!(
            dial.dial(to, deadline).await.unwrap_err(),
            DialError::Refused
        );
    }

    #[tokio::test]
    async fn looks_without_waiting() {
        let clock = Clock::system();
        let dial = TcpDial::new(clock.clone());
        let listener = listen::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let to = listener.local_addr().unwrap();
        let deadline = clock.now() + Duration::from_secs(10);
        let mut stream = dial.dial(to, deadline).await.unwrap();
        let mut buffer = [0; 10];
        assert_eq!(TcpDial::look(&mut stream, &mut buffer).unwrap(), None);
        // No await from here on: the runtime does not learn of it.
        let (peer, _) = SockRef::from(&listener).accept().unwrap();
        peer.send(b"hi").unwrap();
        assert_eq!(TcpDial::look(&mut stream, &mut buffer).unwrap(), Some(2));
        assert_eq!(TcpDial::look(&mut stream, &mut buffer).unwrap(), None);
        drop(peer);
        assert_eq!(TcpDial::look(&mut stream, &mut buffer).unwrap(), Some(0));
    }

    #[tokio::test]
    async fn a_deadline_ends_the_waiting() {
        let clock = Clock::manual(Timestamp::EPOCH);
        let dial = TcpDial::new(clock.clone());
        // A listener whose backlog is full answers nobody.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let to = listener.local_addr().unwrap();
        let mut taken = Vec::new();
        for _ in 0..3 {
            let connect = tokio::time::timeout(Duration::from_millis(200), connect(to));
            taken.push(connect.await);
        }
        let deadline = clock.now() + Duration::from_secs(30);
        let dialing = tokio::spawn(async move { dial.dial(to, deadline).await });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(30));
        let error = dialing.await.unwrap().unwrap_err();
        assert_eq!(error, DialError::Timeout(Duration::from_secs(30)));
    }
}
