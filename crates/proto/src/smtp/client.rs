//! The client side of SMTP as a machine. RFC 5321 §3, §4

mod capabilities;
mod commands;
mod ending;
mod event;
mod replies;
mod reply;
mod settings;
mod stuffing;

use std::collections::VecDeque;
use std::sync::Arc;

use mailtypes::{BodyType, Timestamp};

use super::limits::{CLIENT_BLOCK_LEN, CLIENT_LEAVE_WAIT, CLIENT_WRITE_LEN, EXCHANGES_MAX};

pub use capabilities::Capabilities;
pub use event::{
    ClientEvent, ClientStep, Exchange, Impossible, Lost, LostBy, OutgoingMail, RecipientAnswer,
    SessionRefusal, Stage,
};
pub use reply::ServerReply;
pub use settings::ClientSettings;

use commands::{Awaited, Command};
use reply::ReplyReader;
use stuffing::Stuffing;

/// The client side of one conversation: octets and times in, steps out.
///
/// The caller connects, does what [`next`](Self::next) says, and hands over one message after the
/// other with [`send`](Self::send) while [`is_ready`](Self::is_ready). However a connection ends,
/// each recipient of the message under way gets its answer.
#[derive(Debug)]
pub struct Client {
    settings: Arc<ClientSettings>,
    capabilities: Capabilities,
    phase: Phase,
    replies: ReplyReader,
    /// Whether a reply was owed when the one that comes in began: otherwise it is out of turn.
    in_turn: bool,
    /// Commands whose replies are still to come, in order.
    awaited: VecDeque<Awaited>,
    /// Since when the first of them is.
    waiting_since: Timestamp,
    transaction: Option<Transaction>,
    /// The server has heard of a sender since the last reset.
    soiled: bool,
    events: VecDeque<ClientEvent>,
    out: Vec<u8>,
    /// Octets that have left `out` so far.
    handed_out: u64,
    /// The last of them that have not gone out to the server yet, as far as we know.
    unwritten: u64,
    trail: Vec<Exchange>,
    trail_left_out: u64,
    farewell: Option<RecipientAnswer>,
}

#[derive(Debug)]
enum Phase {
    /// Until the server takes mail.
    Opening,
    /// Between transactions.
    Ready,
    /// Within one.
    Transaction,
    /// The body goes out.
    Body(Stuffing),
    /// The server has said no before it had all of the body: nothing more goes out. It counts when the
    /// server goes.
    SaidNo(ServerReply),
    /// QUIT was said.
    Quitting,
    /// Nothing any more; when all is said, the session ends.
    Over,
}

/// One message on its way.
#[derive(Debug)]
struct Transaction {
    mail: OutgoingMail,
    answers: Vec<Option<RecipientAnswer>>,
    /// The next recipient to be told.
    next: usize,
    /// Recipients that the server has taken.
    taken: usize,
}

impl Client {
    /// We have connected; the server is to speak first.
    pub fn new(settings: Arc<ClientSettings>, now: Timestamp) -> Self {
        Self {
            settings,
            capabilities: Capabilities::default(),
            phase: Phase::Opening,
            replies: ReplyReader::default(),
            in_turn: true,
            awaited: VecDeque::from([Awaited::greeting()]),
            waiting_since: now,
            transaction: None,
            soiled: false,
            events: VecDeque::new(),
            out: Vec::new(),
            handed_out: 0,
            unwritten: 0,
            trail: Vec::new(),
            trail_left_out: 0,
            farewell: None,
        }
    }

    /// Takes octets of the server and tells how many: all of them, unless the session is over.
    ///
    /// What comes while no reply is owed is out of turn, and ends the session. So give it what is
    /// there before each [`send`](Self::send) and before [`end_of_body`](Self::end_of_body):
    /// later it would look like an answer.
    pub fn input(&mut self, bytes: &[u8], now: Timestamp) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_over() {
            if self.replies.is_empty() {
                self.in_turn = self.owes_reply();
            }
            let (len, reply) = self.replies.feed(&bytes[taken..]);
            taken += len;
            match reply {
                None => {}
                Some(Ok(reply)) => self.take_reply(reply, now),
                Some(Err(why)) => self.fail(&Lost::Protocol(why), now),
            }
        }
        taken
    }

    /// So many octets of the last [`ClientStep::Write`] have not gone out yet: at first all of them,
    /// with the next step none. To a command among them nobody can have replied.
    ///
    /// Tell it whenever some have gone: the wait for a reply begins when its command is out, and a
    /// body has time as long as it moves. RFC 5321 §4.5.3.2.5, §4.5.3.2.6
    pub fn unwritten(&mut self, len: usize, now: Timestamp) {
        let (owed, block) = (self.owes_reply(), self.sent() / CLIENT_BLOCK_LEN);
        self.unwritten = len as u64;
        let replies_begin = self.owes_reply() && !owed;
        if replies_begin || self.body_goes_out() && self.sent() / CLIENT_BLOCK_LEN != block {
            self.waiting_since = now;
        }
    }

    /// The connection is no more.
    pub fn lost(&mut self, by: LostBy, now: Timestamp) {
        let why = match by {
            LostBy::Closed => Lost::Closed,
            LostBy::Error(error) => Lost::Error(error),
        };
        if !self.left_with_a_no() {
            self.fail(&why, now);
        }
    }

    /// What to do next.
    ///
    /// While [`wants_body`](Self::wants_body), `Read` means: give more of the body, and look whether
    /// the server has spoken. Less than a full piece waits for the rest, so that a small message
    /// goes out whole with its final dot.
    #[expect(
        clippy::should_implement_trait,
        reason = "the end of it is a step, not a None"
    )]
    pub fn next(&mut self) -> ClientStep {
        self.unwritten = 0;
        if self.has_output() {
            let octets = std::mem::take(&mut self.out);
            self.handed_out += octets.len() as u64;
            self.unwritten = octets.len() as u64;
            return ClientStep::Write(octets);
        }
        if let Some(event) = self.events.pop_front() {
            return ClientStep::Event(event);
        }
        if self.is_over() {
            return ClientStep::Close;
        }
        ClientStep::Read
    }

    /// When to call [`timed_out`](Self::timed_out), unless something comes before.
    pub fn deadline(&self) -> Timestamp {
        match (&self.phase, self.waits_for()) {
            (Phase::SaidNo(_), _) => self.waiting_since + CLIENT_LEAVE_WAIT,
            (_, Some(stage)) => self.waiting_since + self.settings.timeout(stage),
            (_, None) => NEVER,
        }
    }

    /// The deadline has passed. Does nothing when it has not.
    pub fn timed_out(&mut self, now: Timestamp) {
        if now < self.deadline() {
            return;
        }
        if self.stayed_after_a_no() {
            return;
        }
        if let Some(stage) = self.waits_for() {
            self.fail(&Lost::Timeout(self.settings.timeout(stage)), now);
        }
    }

    /// Whether the next message may be sent.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready) && self.replies.is_empty()
    }

    /// Whether the conversation has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether what has not gone out yet should not go out any more.
    pub fn is_hushed(&self) -> bool {
        matches!(self.phase, Phase::Over | Phase::SaidNo(_))
    }

    /// Whether more of the body is wanted.
    pub fn wants_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_))
    }

    /// Whether what has gathered must be written before more of the body is given.
    pub fn is_full(&self) -> bool {
        self.gathered() >= CLIENT_WRITE_LEN
    }

    /// Octets that have gathered and were not handed out.
    pub fn gathered(&self) -> usize {
        self.out.len()
    }

    /// Whether the next step is to write.
    pub fn has_output(&self) -> bool {
        !self.out.is_empty() && (self.is_full() || !self.wants_body())
    }

    /// What the server can do.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What was said since this was asked last; the first of it when it is much.
    pub fn take_trail(&mut self) -> Vec<Exchange> {
        self.trail_left_out = 0;
        std::mem::take(&mut self.trail)
    }

    /// How much [`take_trail`](Self::take_trail) will leave out.
    pub fn trail_left_out(&self) -> u64 {
        self.trail_left_out
    }

    /// Begins to hand over a message. Does nothing unless the session is between transactions.
    pub fn send(&mut self, mail: OutgoingMail, now: Timestamp) {
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        let answers = vec![None; mail.recipients.len()];
        let answers_none = answers.is_empty();
        self.transaction = Some(Transaction {
            mail,
            answers,
            next: 0,
            taken: 0,
        });
        self.waiting_since = now;
        if !self.replies.is_empty() {
            return self.fail(&Lost::OutOfTurn(HALF_A_REPLY.to_owned()), now);
        }
        self.phase = Phase::Transaction;
        match self.impossible() {
            Some(why) => self.answer_rest(&RecipientAnswer::Impossible(why)),
            None if answers_none => self.finish(),
            None => self.say_mail(),
        }
    }

    /// A piece of the body, in answer to [`ClientEvent::WantBody`], of [`CLIENT_WRITE_LEN`] octets
    /// or so: all of it is kept, and none should come while the machine [is full](Self::is_full).
    pub fn body(&mut self, octets: &[u8], now: Timestamp) {
        self.waiting_since = now;
        self.out.reserve(octets.len());
        if let Phase::Body(stuffing) = &mut self.phase
            && stuffing.push(octets, &mut self.out).is_err()
        {
            self.give_up_body(now);
        }
    }

    /// The body is complete.
    pub fn end_of_body(&mut self, now: Timestamp) {
        let Phase::Body(stuffing) = &self.phase else {
            return;
        };
        if !self.replies.is_empty() {
            return self.fail(&Lost::OutOfTurn(HALF_A_REPLY.to_owned()), now);
        }
        if stuffing.finish(&mut self.out).is_err() {
            return self.give_up_body(now);
        }
        self.waiting_since = now;
        self.phase = Phase::Transaction;
        self.await_reply(Command::FinalDot);
    }

    /// The rest of the body cannot be had: the connection ends without the final dot, so that the
    /// server does not take half a message for a whole one.
    pub fn abandon_body(&mut self, now: Timestamp) {
        if self.wants_body() {
            self.fail(&Lost::Abandoned, now);
        }
    }

    /// Takes leave of the server.
    pub fn quit(&mut self, now: Timestamp) {
        match self.phase {
            // Whoever has begun to speak unasked does not listen either.
            Phase::Ready if !self.replies.is_empty() => self.end(),
            Phase::Ready => self.say_quit(now),
            Phase::Quitting | Phase::Over => {}
            // Nobody is left without an answer.
            Phase::Opening | Phase::Transaction | Phase::Body(_) | Phase::SaidNo(_) => {
                self.fail(&Lost::Abandoned, now);
            }
        }
    }

    /// Ends the session at once: what is under way has its answer.
    pub fn stop(&mut self, now: Timestamp) {
        self.fail(&Lost::Stopped, now);
    }

    /// How the session has ended between two transactions, as an answer to the next one.
    pub fn farewell(&self) -> Option<&RecipientAnswer> {
        self.farewell.as_ref()
    }

    fn give_up_body(&mut self, now: Timestamp) {
        let why = RecipientAnswer::Impossible(Impossible::BareLineEnd);
        if let Some(transaction) = &mut self.transaction {
            transaction.fill(&why);
        }
        self.fail(&Lost::Abandoned, now);
    }

    /// Why the message cannot be sent to this server at all.
    fn impossible(&self) -> Option<Impossible> {
        let mail = &self.transaction.as_ref()?.mail;
        let limit = self.capabilities.size.unwrap_or(u64::MAX);
        if mail.size > limit {
            return Some(Impossible::TooLarge { limit });
        }
        if mail.body == BodyType::BinaryMime {
            return Some(Impossible::BinaryMime);
        }
        // Nothing converts yet, and raw octets would arrive as something else.
        (mail.has_8bit && !self.capabilities.eight_bit_mime).then_some(Impossible::EightBit)
    }

    /// What the server owes us.
    fn waits_for(&self) -> Option<Stage> {
        match (&self.phase, self.awaited.front()) {
            (Phase::Over, _) => None,
            (Phase::SaidNo(_), _) => Some(Stage::Body),
            _ if self.body_goes_out() => Some(Stage::Body),
            (_, Some(awaited)) => Some(awaited.command.stage()),
            // Half a reply that nobody asked for: it must not hold the session for ever.
            (Phase::Ready, None) if !self.replies.is_empty() => Some(Stage::Mail),
            (_, None) => None,
        }
    }

    /// Whether the server has been sent something that it has not answered.
    fn owes_reply(&self) -> bool {
        let sent = self.sent();
        self.awaited.front().is_some_and(|next| next.end <= sent)
    }

    /// Octets that have gone out to the server.
    fn sent(&self) -> u64 {
        self.handed_out - self.unwritten
    }

    /// Whether some of a body, or the dot behind it, is still to be written.
    fn body_goes_out(&self) -> bool {
        let is_dot = |next: &Awaited| next.command == Command::FinalDot && next.end > self.sent();
        self.wants_body() || self.awaited.front().is_some_and(is_dot)
    }

    /// Whether the whole message has gone out: then it may have arrived.
    fn dot_sent(&self) -> bool {
        let is_dot = |next: &Awaited| next.command == Command::FinalDot;
        self.owes_reply() && self.awaited.front().is_some_and(is_dot)
    }

    fn remember(&mut self, exchange: Exchange) {
        if self.trail.len() < EXCHANGES_MAX {
            self.trail.push(exchange);
        } else {
            self.trail_left_out += 1;
        }
    }
}

impl Transaction {
    /// The same answer for all who have none yet.
    fn fill(&mut self, answer: &RecipientAnswer) {
        for none in self.answers.iter_mut().filter(|answer| answer.is_none()) {
            *none = Some(answer.clone());
        }
    }
}

const HALF_A_REPLY: &str = "half a reply";
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);
