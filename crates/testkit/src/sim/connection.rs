//! A connection of the simulated network: octets arrive later, or never.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How a connection may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    /// Both ends are told.
    Reset,
    /// Nobody is told anything any more.
    Silence,
}

/// What both ends share.
pub(super) struct Connection(Mutex<State>);

struct State {
    delay: Duration,
    broken: Option<Break>,
    /// It breaks when so many more octets have been sent, either way.
    breaks: Option<(usize, Break)>,
    ways: [Way; 2],
}

/// One direction.
#[derive(Default)]
struct Way {
    parcels: VecDeque<(Instant, Vec<u8>)>,
    /// Octets sent and not read.
    unread: usize,
    /// When the end of the stream arrives.
    end: Option<Instant>,
    /// Nobody will read.
    unwanted: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// One end of a connection.
pub(super) struct Stream {
    connection: Arc<Connection>,
    /// The direction in which it writes.
    side: usize,
    arrival: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    /// Both ends of a new one.
    pub(super) fn open(
        delay: Duration,
        breaks: Option<(usize, Break)>,
    ) -> (Arc<Self>, Stream, Stream) {
        let connection = Arc::new(Self(Mutex::new(State {
            delay,
            broken: None,
            breaks,
            ways: Default::default(),
        })));
        let end = |side| Stream {
            connection: Arc::clone(&connection),
            side,
            arrival: None,
        };
        let (one, other) = (end(0), end(1));
        (connection, one, other)
    }

    /// Breaks it now, unless it is broken.
    pub(super) fn cut(&self, how: Break) {
        self.lock().cut(how);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut(&mut self, how: Break) {
        if self.broken.is_some() {
            return;
        }
        self.broken = Some(how);
        for way in &mut self.ways {
            for waker in [way.reader.take(), way.writer.take()].into_iter().flatten() {
                waker.wake();
            }
        }
    }

    fn send(&mut self, side: usize, octets: &[u8]) -> usize {
        let mut len = octets.len().min(WINDOW - self.ways[side].unread);
        if let Some((left, _)) = self.breaks {
            len = len.min(left);
        }
        let arrives = Instant::now() + self.delay;
        let way = &mut self.ways[side];
        way.unread += len;
        if self.broken.is_none() {
            way.parcels.push_back((arrives, octets[..len].to_vec()));
            if let Some(reader) = way.reader.take() {
                reader.wake();
            }
        }
        if let Some((left, how)) = &mut self.breaks {
            *left -= len;
            if *left == 0 {
                let how = *how;
                self.breaks = None;
                self.cut(how);
            }
        }
        len
    }

    fn end(&mut self, side: usize) {
        let arrives = Instant::now() + self.delay;
        if self.broken.is_none() {
            let way = &mut self.ways[side];
            way.end.get_or_insert(arrives);
            if let Some(reader) = way.reader.take() {
                reader.wake();
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.connection.lock();
        if state.broken == Some(Break::Reset) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let way = &mut state.ways[self.side];
        if way.unwanted || way.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if way.unread >= WINDOW {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(state.send(self.side, octets)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.lock().end(self.side);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let arrives = {
                let mut state = this.connection.lock();
                match state.receive(1 - this.side, buffer) {
                    Received::Now(result) => return Poll::Ready(result),
                    Received::At(arrives) => arrives,
                    Received::Nothing => {
                        state.ways[1 - this.side].reader = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                }
            };
            let mut sleep = Box::pin(tokio::time::sleep_until(arrives));
            // Whoever breaks the connection wakes the reader too.
            this.connection.lock().ways[1 - this.side].reader = Some(cx.waker().clone());
            let arrived = sleep.as_mut().poll(cx);
            this.arrival = Some(sleep);
            if arrived.is_pending() {
                return Poll::Pending;
            }
        }
    }
}

enum Received {
    Now(io::Result<()>),
    At(Instant),
    Nothing,
}

impl State {
    fn receive(&mut self, side: usize, buffer: &mut ReadBuf<'_>) -> Received {
        if self.broken == Some(Break::Reset) {
            return Received::Now(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let now = Instant::now();
        let way = &mut self.ways[side];
        match way.parcels.front_mut() {
            Some((arrives, _)) if *arrives > now => Received::At(*arrives),
            Some((_, octets)) => {
                let len = octets.len().min(buffer.remaining());
                buffer.put_slice(&octets[..len]);
                octets.drain(..len);
                if octets.is_empty() {
                    way.parcels.pop_front();
                }
                way.unread -= len;
                if let Some(writer) = way.writer.take() {
                    writer.wake();
                }
                Received::Now(Ok(()))
            }
            None => match way.end {
                Some(arrives) if arrives > now => Received::At(arrives),
                Some(_) => Received::Now(Ok(())),
                None => Received::Nothing,
            },
        }
    }
}

impl Drop for Stream {
    /// As the kernel does it: what was not read resets the connection.
    fn drop(&mut self) {
        let mut state = self.connection.lock();
        let incoming = &mut state.ways[1 - self.side];
        incoming.unwanted = true;
        if let Some(writer) = incoming.writer.take() {
            writer.wake();
        }
        if incoming.parcels.is_empty() {
            state.end(self.side);
        } else {
            state.cut(Break::Reset);
        }
    }
}

/// Octets under way in one direction.
const WINDOW: usize = 64 * 1024;
