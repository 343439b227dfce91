//! One connection to a server: octets between a stream and the client machine.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use mailtypes::Timestamp;
use net::{Clock, Dial};
use proto::smtp::client::{
    Client, ClientEvent, ClientSettings, ClientStep, Lost, LostBy, RecipientAnswer, SessionRefusal,
    Stage,
};
use proto::smtp::limits::CLIENT_WRITE_LEN;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::addresses::Permit;
use super::job::Job;
use super::message::Source;
use super::trail::Trail;

/// A session with a server that is ready for mail.
pub(crate) struct Connection<T> {
    stream: T,
    machine: Client,
    clock: Clock,
    buffer: Box<[u8]>,
    look: fn(&mut T, &mut [u8]) -> io::Result<Option<usize>>,
    /// The host and its address, for people.
    pub(crate) name: String,
    /// Its name alone.
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    /// Transactions that it has seen.
    pub(crate) used: u32,
    /// When it was opened.
    pub(crate) since: Timestamp,
    #[expect(dead_code, reason = "counts")]
    permit: Permit,
}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum NoSession {
    /// Nobody answered.
    Dial(net::DialError),
    /// Somebody answered, and would not.
    Refused(SessionRefusal),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    /// Connects and says hello.
    pub(crate) async fn open<D: Dial<Stream = T>>(
        dial: &D,
        clock: &Clock,
        settings: Arc<ClientSettings>,
        name: String,
        (address, permit): (SocketAddr, Permit),
        until: Timestamp,
        trail: &mut Trail,
    ) -> Result<Self, NoSession> {
        let began = clock.now();
        let stream = dial.dial(address, until).await.map_err(NoSession::Dial)?;
        trail.connected(began, clock.now());
        let mut connection = Self {
            stream,
            machine: Client::new(settings, clock.now()),
            clock: clock.clone(),
            buffer: vec![0; READ_LEN].into(),
            look: D::look,
            name,
            host: trail.tried().to_owned(),
            address,
            used: 0,
            since: clock.now(),
            permit,
        };
        let event = connection.drive().await;
        connection.told(trail);
        match event {
            Some(ClientEvent::NotReady(refusal)) => {
                connection.drive().await;
                Err(NoSession::Refused(refusal))
            }
            // The machine says one of the two before anything else.
            _ => Ok(connection),
        }
    }

    /// Whether it takes another message.
    pub(crate) fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }

    /// Makes one transaction; answers for each recipient, in order.
    pub(crate) async fn transact(
        &mut self,
        job: &Job,
        mut source: Source,
        trail: &mut Trail,
    ) -> Result<Vec<RecipientAnswer>, store::ReadError> {
        self.look();
        self.machine.send(job.mail(), self.clock.now());
        self.used += 1;
        let mut unread = None;
        let answers = loop {
            match self.progress(job).await {
                Progress::WantsBody => {
                    unread = self.send_body(&job.mark(), &mut source).await.err();
                }
                Progress::Finished(answers) => break answers,
            }
        };
        self.told(trail);
        match unread {
            Some(error) => Err(error),
            None => Ok(answers),
        }
    }

    /// Ends a transaction for which there is no more time.
    pub(crate) async fn cut_short(&mut self, job: &Job, trail: &mut Trail) -> Vec<RecipientAnswer> {
        self.machine.stop(self.clock.now());
        let answers = loop {
            if let Progress::Finished(answers) = self.progress(job).await {
                break answers;
            }
        };
        self.told(trail);
        answers
    }

    async fn progress(&mut self, job: &Job) -> Progress {
        loop {
            match self.drive().await {
                Some(ClientEvent::WantBody) => return Progress::WantsBody,
                Some(ClientEvent::Finished(answers)) => return Progress::Finished(answers),
                Some(ClientEvent::Ready | ClientEvent::NotReady(_)) => {}
                // It was over before it began.
                None => {
                    let why = self.machine.farewell().unwrap_or(&NEVER_BEGUN);
                    return Progress::Finished(vec![why.clone(); job.recipients.len()]);
                }
            }
        }
    }

    /// Returns when the host has spoken or gone although it was not asked: the session is over then.
    pub(crate) async fn disturbed(&mut self) {
        while self.machine.is_ready() {
            self.read().await;
        }
    }

    /// Gives the machine what has come by now: what it has not asked for must not become an answer
    /// to what it says next.
    fn look(&mut self) {
        while !self.machine.is_over() {
            match (self.look)(&mut self.stream, &mut self.buffer) {
                Ok(None) => return,
                Ok(Some(len)) => self.take_in(len),
                Err(error) => self.lost(&error),
            }
        }
    }

    fn told(&mut self, trail: &mut Trail) {
        let unkept = self.machine.trail_left_out();
        trail.said(self.machine.take_trail(), unkept);
    }

    async fn send_body(&mut self, mark: &str, source: &mut Source) -> Result<(), store::ReadError> {
        self.send_piece(mark.as_bytes()).await;
        while self.machine.wants_body() {
            match source.next().await {
                Ok(Some(piece)) => self.send_piece(&piece).await,
                Ok(None) => self.end_body(),
                Err(error) => {
                    self.machine.abandon_body(self.clock.now());
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Sends a piece of the body: what has gathered is written before more is added to it.
    async fn send_piece(&mut self, piece: &[u8]) {
        for part in piece.chunks(CLIENT_WRITE_LEN) {
            self.machine.body(part, self.clock.now());
            if self.machine.is_full() {
                self.write_out().await;
            }
        }
    }

    fn end_body(&mut self) {
        self.look();
        self.machine.end_of_body(self.clock.now());
    }

    /// Takes leave.
    pub(crate) async fn quit(mut self) {
        self.machine.quit(self.clock.now());
        self.drive().await;
    }

    /// Works until the machine has something to say; `None` when the session is over.
    async fn drive(&mut self) -> Option<ClientEvent> {
        loop {
            match self.machine.next() {
                ClientStep::Event(event) => return Some(event),
                ClientStep::Write(octets) => self.write(&octets).await,
                ClientStep::Read => self.read().await,
                ClientStep::Close => return None,
            }
        }
    }

    /// Sends what has gathered, so that more of the body has room.
    async fn write_out(&mut self) {
        if let ClientStep::Write(octets) = self.machine.next() {
            self.write(&octets).await;
        }
    }

    /// Sends octets and takes in what comes meanwhile: a server may say no in the middle of a body
    /// and stop reading.
    async fn write(&mut self, octets: &[u8]) {
        let mut sent = 0;
        while sent < octets.len() && !self.machine.is_hushed() {
            let moved = {
                let both = Both {
                    stream: &mut self.stream,
                    octets: &octets[sent..],
                    buffer: &mut self.buffer,
                };
                tokio::select! {
                    biased;
                    moved = both => Some(moved),
                    () = self.clock.sleep_until(self.machine.deadline()) => None,
                }
            };
            match moved {
                Some(Ok(Moved::Sent(len))) => {
                    sent += len;
                    let now = self.clock.now();
                    self.machine.unwritten(octets.len() - sent, now);
                }
                Some(Ok(Moved::Got(len))) => self.take_in(len),
                Some(Err(error)) => self.broken(&error),
                None => self.machine.timed_out(self.clock.now()),
            }
        }
    }

    /// Nothing can be written any more. A host that says no and goes has often been quicker than what we
    /// write: its words are there still, and tell more than the error.
    fn broken(&mut self, error: &io::Error) {
        // Ends: whoever says more than one reply is not listened to any more.
        while !self.machine.is_over() {
            match (self.look)(&mut self.stream, &mut self.buffer) {
                Ok(Some(len)) if len > 0 => self.take_in(len),
                _ => break,
            }
        }
        self.lost(error);
    }

    async fn read(&mut self) {
        use tokio::io::AsyncReadExt;
        let deadline = self.machine.deadline();
        let got = tokio::select! {
            biased;
            got = self.stream.read(&mut self.buffer) => Some(got),
            () = self.clock.sleep_until(deadline) => None,
        };
        match got {
            Some(Ok(len)) => self.take_in(len),
            Some(Err(error)) => self.lost(&error),
            None => self.machine.timed_out(self.clock.now()),
        }
    }

    /// Octets have come; none means that the peer has closed.
    fn take_in(&mut self, len: usize) {
        let now = self.clock.now();
        if len == 0 {
            self.machine.lost(LostBy::Closed, now);
            return;
        }
        let mut taken = 0;
        while taken < len {
            let more = self.machine.input(&self.buffer[taken..len], now);
            if more == 0 {
                break;
            }
            taken += more;
        }
    }

    fn lost(&mut self, error: &io::Error) {
        let now = self.clock.now();
        self.machine.lost(LostBy::Error(error.to_string()), now);
    }
}

/// How far a transaction has come.
enum Progress {
    WantsBody,
    /// Answers for each recipient, in order.
    Finished(Vec<RecipientAnswer>),
}

/// Writes; reads when writing does not go on.
struct Both<'a, T> {
    stream: &'a mut T,
    octets: &'a [u8],
    buffer: &'a mut [u8],
}

enum Moved {
    Sent(usize),
    Got(usize),
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for Both<'_, T> {
    type Output = io::Result<Moved>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Moved>> {
        let this = self.get_mut();
        match Pin::new(&mut *this.stream).poll_write(cx, this.octets) {
            Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(sent) => return Poll::Ready(sent.map(Moved::Sent)),
            Poll::Pending => {}
        }
        let mut buffer = ReadBuf::new(this.buffer);
        Pin::new(&mut *this.stream)
            .poll_read(cx, &mut buffer)
            .map(|read| read.map(|()| Moved::Got(buffer.filled().len())))
    }
}

/// What a session that has ended says of a transaction that it was asked for too late.
const NEVER_BEGUN: RecipientAnswer = RecipientAnswer::Lost {
    stage: Stage::Mail,
    why: Lost::Closed,
    dot_sent: false,
};
/// Octets taken from the peer at a time: replies are short.
const READ_LEN: usize = 4096;

#[cfg(test)]
mod tests;
