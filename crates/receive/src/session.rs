//! One connection: moves octets between the socket and the machine, and events to the dialogue.
//!
//! It has no policy. It is small while it waits: nothing is held for reading until there is
//! something to read.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use mailtypes::Timestamp;
use net::Clock;
use proto::smtp::{Server, Step};
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::task::coop::consume_budget;

use crate::deadline::within;
use crate::dialogue::Dialogue;
use crate::limits::{LINGER, LINGER_LEN_MAX, READ_LEN, STOP_GRACE, WRITE_TIMEOUT};
use crate::shared::{Phase, Shared, current};

/// A client that is connected.
pub(crate) struct Session<S, T> {
    shared: Arc<Shared<S>>,
    stream: T,
    machine: Server,
    dialogue: Dialogue<S>,
    /// Octets that the machine has not taken yet.
    carried: Vec<u8>,
    phase: watch::Receiver<Phase>,
    /// When the session is cut, once the server stops.
    cut: Option<Timestamp>,
}

impl<S: Store, T: AsyncRead + AsyncWrite + Unpin> Session<S, T> {
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        stream: T,
        client: IpAddr,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        let smtp = Arc::clone(&shared.settings.load().smtp);
        Self {
            machine: Server::new(smtp, shared.clock.now()),
            dialogue: Dialogue::new(Arc::clone(&shared), client),
            shared,
            stream,
            carried: Vec::new(),
            phase,
            cut: None,
        }
    }

    /// Serves the client to the end of the session. What was not accepted by then is gone here
    /// and still the client's.
    pub(crate) async fn run(mut self) {
        loop {
            match self.machine.next() {
                Step::Write(octets) => {
                    if let Err(error) = self.write(&octets).await {
                        tracing::debug!(%error, "the client does not take our replies");
                        return;
                    }
                }
                Step::Event(event) => {
                    if let Some(reply) = self.dialogue.answer(event).await {
                        self.machine.answer(reply);
                        if self.carried.is_empty() {
                            // The wait for the next command starts with the answer.
                            self.machine.input(&[], self.shared.clock.now());
                        }
                    }
                }
                Step::Read => {
                    if self.read().await.is_break() {
                        return;
                    }
                }
                Step::Close => return self.hang_up().await,
            }
        }
    }

    /// Gives the machine octets, or the news that there will be none in time.
    async fn read(&mut self) -> ControlFlow<()> {
        if !self.carried.is_empty() {
            return self.feed_carried();
        }
        loop {
            // A client that always has more to say must let the others have their turn.
            consume_budget().await;
            let now = self.shared.clock.now();
            if self.cut.is_none() && current(&self.phase) == Phase::Stop {
                self.cut = Some(now + STOP_GRACE);
                self.machine.shut_down();
                return ControlFlow::Continue(());
            }
            if self.cut.is_some_and(|cut| now >= cut) {
                tracing::debug!("cut: the server stops");
                return if self.machine.stop_now() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                };
            }
            if now >= self.machine.deadline() {
                self.machine.timed_out(now);
                return ControlFlow::Continue(());
            }
            match self.take_in().await {
                None => {}
                Some(Ok(0)) => {
                    tracing::debug!("the client is gone");
                    return ControlFlow::Break(());
                }
                Some(Ok(_)) => return ControlFlow::Continue(()),
                Some(Err(error)) => {
                    tracing::debug!(%error, "the connection is lost");
                    return ControlFlow::Break(());
                }
            }
        }
    }

    fn feed_carried(&mut self) -> ControlFlow<()> {
        let taken = self.machine.input(&self.carried, self.shared.clock.now());
        if taken == 0 {
            tracing::error!("the machine wants to read and takes nothing");
            return ControlFlow::Break(());
        }
        self.carried.drain(..taken);
        if self.carried.is_empty() {
            self.carried = Vec::new();
        }
        ControlFlow::Continue(())
    }

    /// Gives the machine octets as soon as there are some; `None` when there is something else to
    /// do first.
    async fn take_in(&mut self) -> Option<io::Result<usize>> {
        let deadline = self.machine.deadline();
        let until = self.cut.map_or(deadline, |cut| cut.min(deadline));
        let Self {
            shared,
            stream,
            machine,
            carried,
            phase,
            cut,
            ..
        } = self;
        let stop = async {
            let _ = phase.wait_for(|phase| *phase == Phase::Stop).await;
        };
        let read = read_once(stream, |octets| {
            let taken = machine.input(octets, shared.clock.now());
            carried.extend_from_slice(&octets[taken..]);
        });
        tokio::select! {
            biased;
            () = stop, if cut.is_none() => None,
            // What comes too late is not read any more.
            () = is_past(&shared.clock, until) => None,
            read = read => Some(read),
            () = shared.clock.sleep_until(until) => None,
        }
    }

    async fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        let written = self.stream.write_all(octets);
        let written = within(&self.shared.clock, WRITE_TIMEOUT, written).await;
        written.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Closes so that our last reply gets through: octets that nobody has read would make the
    /// kernel reset the connection, and the reset would overtake the reply. Behind QUIT there are none.
    async fn hang_up(mut self) {
        let said_all = self.machine.has_quit() && self.carried.is_empty();
        let stream = &mut self.stream;
        within(&self.shared.clock, LINGER, async {
            if stream.shutdown().await.is_ok() && !said_all {
                drain(stream).await;
            }
        })
        .await;
    }
}

/// Is ready whenever it is looked at when `until` has passed; wakes nobody.
fn is_past(clock: &Clock, until: Timestamp) -> impl Future<Output = ()> {
    poll_fn(move |_| {
        if clock.now() < until {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
}

/// Reads and forgets, to the end or to a limit.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) {
    let mut left = LINGER_LEN_MAX;
    while left > 0 {
        match read_once(stream, |_| ()).await {
            Ok(0) | Err(_) => return,
            Ok(read) => left = left.saturating_sub(read),
        }
    }
}

/// Reads once; answers how many octets `take` was given. The buffer lies on the stack while there
/// is something to read, and nowhere while there is nothing.
async fn read_once(
    stream: &mut (impl AsyncRead + Unpin),
    mut take: impl FnMut(&[u8]),
) -> io::Result<usize> {
    poll_fn(|cx| {
        let mut buffer = [MaybeUninit::uninit(); READ_LEN];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
        take(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    })
    .await
}
