//! One connection: moves octets between the socket and the machine, and events to the dialogue.
//!
//! It has no policy. It is small while it waits: nothing is held for reading until there is
//! something to read.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;

use mailtypes::Timestamp;
use proto::smtp::{Server, Step};
use store::Store;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::coop::consume_budget;

use crate::deadline::within;
use crate::dialogue::Dialogue;
use crate::limits::{LINGER, LINGER_LEN_MAX, READ_LEN, STOP_GRACE, WRITE_TIMEOUT};
use crate::shared::{Phase, Shared, current};

/// A client that is connected.
pub(crate) struct Session<S> {
    shared: Arc<Shared<S>>,
    stream: TcpStream,
    machine: Server,
    dialogue: Dialogue<S>,
    /// Octets that the machine has not taken yet.
    carried: Vec<u8>,
    phase: watch::Receiver<Phase>,
    /// When the session is cut, once the server stops.
    cut: Option<Timestamp>,
}

impl<S: Store> Session<S> {
    pub(crate) fn new(
        shared: Arc<Shared<S>>,
        stream: TcpStream,
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
            match self.take_in(now) {
                Ok(0) => {
                    tracing::debug!("the client is gone");
                    return ControlFlow::Break(());
                }
                Ok(_) => return ControlFlow::Continue(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait().await,
                Err(error) => {
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

    /// Reads what is there, without waiting. The buffer lives on the stack for this moment only.
    fn take_in(&mut self, now: Timestamp) -> io::Result<usize> {
        let mut buffer = [0; READ_LEN];
        let read = self.stream.try_read(&mut buffer)?;
        if read > 0 {
            let taken = self.machine.input(&buffer[..read], now);
            self.carried.extend_from_slice(&buffer[taken..read]);
        }
        Ok(read)
    }

    /// Until there is something to read or to do.
    async fn wait(&mut self) {
        let deadline = self.machine.deadline();
        let until = self.cut.map_or(deadline, |cut| cut.min(deadline));
        let Self {
            shared,
            stream,
            phase,
            cut,
            ..
        } = self;
        let stop = async {
            let _ = phase.wait_for(|phase| *phase == Phase::Stop).await;
        };
        tokio::select! {
            // As `read` looks at them.
            biased;
            () = stop, if cut.is_none() => {}
            () = shared.clock.sleep_until(until) => {}
            // An error shows when it is read.
            _ = stream.readable() => {}
        }
    }

    async fn write(&self, octets: &[u8]) -> io::Result<()> {
        let mut rest = octets;
        let mut until = None;
        while !rest.is_empty() {
            match self.stream.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let clock = &self.shared.clock;
                    let until = *until.get_or_insert_with(|| clock.now() + WRITE_TIMEOUT);
                    tokio::select! {
                        // A client that takes octets at the last moment gets them.
                        biased;
                        ready = self.stream.writable() => ready?,
                        () = clock.sleep_until(until) => {
                            return Err(io::ErrorKind::TimedOut.into());
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes so that our last reply gets through: octets that nobody has read would make the
    /// kernel reset the connection, and the reset would overtake the reply.
    async fn hang_up(mut self) {
        let closed = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
        if closed.is_ok() {
            within(&self.shared.clock, LINGER, drain(&self.stream)).await;
        }
    }
}

/// Reads and forgets, to the end or to a limit.
async fn drain(stream: &TcpStream) {
    let mut left = LINGER_LEN_MAX;
    while left > 0 && stream.readable().await.is_ok() {
        match forget_some(stream) {
            Ok(0) => return,
            Ok(read) => left = left.saturating_sub(read),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

fn forget_some(stream: &TcpStream) -> io::Result<usize> {
    stream.try_read(&mut [0; READ_LEN])
}
