//! One SMTP session as the server sees it.

mod body;
mod commands;
mod texts;
mod time;

use std::collections::VecDeque;
use std::sync::Arc;

use mailtypes::Timestamp;

use super::body::BodyReader;
use super::limits::REPLIES_GATHERED_MAX;
use super::line::LineReader;
use super::{Event, Reply, Settings, Step, Verb, extensions};

/// The server side of one conversation: octets, times and answers in, steps out.
///
/// The caller does what [`next`](Self::next) says. Answers to events change the state, so what
/// the client was told and what the machine believes cannot differ.
// RFC 5321 §3, §4.1.4
#[derive(Debug)]
pub struct Server {
    settings: Arc<Settings>,
    phase: Phase,
    /// Whether HELO or EHLO was said and liked.
    greeted: bool,
    transaction: Option<Transaction>,
    /// The event that the caller must answer before anything else is taken in.
    pending: Option<Pending>,
    events: VecDeque<Event>,
    /// Replies on their way to the client.
    out: Vec<u8>,
    /// How far `out` must have gone before more is taken in.
    flow: Flow,
    /// The caller has no more octets in hand.
    starved: bool,
    stopping: bool,
    errors: u32,
    started: Timestamp,
    /// Since when the client is silent, or since when its command is arriving.
    waiting_since: Timestamp,
}

/// What the octets of the client are.
#[derive(Debug)]
enum Phase {
    Commands(LineReader),
    Body {
        reader: BodyReader,
        /// Octets as they came, stuffed dots and all.
        received: u64,
        /// When the client has used up its patience, see `time.rs`.
        until: Timestamp,
    },
    /// Nothing any more; when all is written, the session ends.
    Closing {
        /// The client has taken its leave, and has no more to say.
        quit: bool,
    },
}

/// From MAIL to the reply to the end of data.
#[derive(Debug, Default)]
struct Transaction {
    accepted: usize,
    refused: usize,
}

/// What the caller was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Hello { extended: bool },
    Mail,
    Rcpt,
    Data,
    EndOfData,
    Lookup,
}

/// Whether replies may wait for others. RFC 2920 §3.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Gather,
    Flush,
}

impl Server {
    /// A client has connected: queues the greeting.
    pub fn new(settings: Arc<Settings>, now: Timestamp) -> Self {
        let mut server = Self {
            settings,
            phase: Phase::Commands(LineReader::default()),
            greeted: false,
            transaction: None,
            pending: None,
            events: VecDeque::new(),
            out: Vec::new(),
            flow: Flow::Gather,
            starved: true,
            stopping: false,
            errors: 0,
            started: now,
            waiting_since: now,
        };
        server.say(&texts::greeting(&server.settings.hostname), Flow::Flush);
        server
    }

    /// Takes octets from the client and tells how many. It stops where an event or a reply must
    /// be dealt with first; `next` says [`Step::Read`] when the rest may follow.
    ///
    /// No octets at all just tell the time, which restarts the wait for the next command: for
    /// after an answer that took long.
    pub fn input(&mut self, bytes: &[u8], now: Timestamp) -> usize {
        self.note_time(now);
        let mut taken = 0;
        while taken < bytes.len() && self.wants_input() {
            let rest = &bytes[taken..];
            taken += match self.phase {
                Phase::Commands(_) => self.take_command(rest, now),
                Phase::Body { .. } => self.take_body(rest, now),
                Phase::Closing { .. } => 0,
            };
        }
        self.starved = taken == bytes.len();
        taken
    }

    /// Whether `input` would take anything.
    pub fn wants_input(&self) -> bool {
        self.pending.is_none()
            && self.events.is_empty()
            && self.flow == Flow::Gather
            && !matches!(self.phase, Phase::Closing { .. })
    }

    /// What to do next. While an event awaits its answer there is nothing to do but to answer;
    /// who asks all the same is told to read and can give nothing.
    #[expect(
        clippy::should_implement_trait,
        reason = "the end of it is a step, not a None"
    )]
    pub fn next(&mut self) -> Step {
        let closing = matches!(self.phase, Phase::Closing { .. });
        if self.flow == Flow::Flush {
            return self.write();
        }
        if let Some(event) = self.events.pop_front() {
            return Step::Event(event);
        }
        // RFC 2920 §3.2: what is gathered goes out when there is nothing left to look at.
        if !self.out.is_empty() && (closing || self.starved) && self.pending.is_none() {
            return self.write();
        }
        if closing { Step::Close } else { Step::Read }
    }

    /// Answers the last event that wanted it. 2yz and 3yz mean yes, 4yz and 5yz no, 421 no and
    /// the end of the session. Without such an event it does nothing.
    pub fn answer(&mut self, reply: Reply) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let reply = pending.fitting(reply);
        let yes = reply.is_yes();
        let closes = reply.code() == 421;
        match pending {
            Pending::Hello { extended } if yes => self.greet(&reply, extended),
            Pending::Data if yes && self.stopping => self.drop_transaction(),
            Pending::Data if yes => {
                self.say(&reply, Flow::Flush);
                self.phase = Phase::Body {
                    reader: BodyReader::new(self.settings.line_ends),
                    received: 0,
                    until: self.waiting_since + self.settings.body_timeout,
                };
            }
            Pending::Mail => {
                self.transaction = yes.then(Transaction::default);
                self.say(&reply, Flow::Gather);
            }
            Pending::Rcpt => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.accepted += usize::from(yes);
                    transaction.refused += usize::from(!yes);
                }
                self.say(&reply, Flow::Gather);
            }
            Pending::EndOfData => {
                self.transaction = None;
                self.say(&reply, Flow::Flush);
            }
            Pending::Hello { .. } | Pending::Data | Pending::Lookup => {
                self.say(&reply, Flow::Flush);
            }
        }
        if closes {
            self.close();
        } else {
            self.count_error(reply.code());
            self.stop_if_idle();
        }
    }

    /// The server stops: 421 as soon as no body is under way, then the end.
    // RFC 5321 §3.8
    pub fn shut_down(&mut self) {
        self.stopping = true;
        self.stop_if_idle();
    }

    /// Whether the session ends because the client has said QUIT: then it has nothing more to say.
    // RFC 5321 §4.1.1.10
    pub fn has_quit(&self) -> bool {
        matches!(self.phase, Phase::Closing { quit: true })
    }

    /// The server has no more time: 421 also when a body is under way, then the end. False when the
    /// session is closing already.
    // RFC 5321 §3.8
    pub fn stop_now(&mut self) -> bool {
        let is_open = !matches!(self.phase, Phase::Closing { .. });
        if is_open {
            self.hang_up(texts::stopping(&self.settings.hostname));
        }
        is_open
    }

    /// RFC 5321 §4.1.4: EHLO that is liked clears what was there, EHLO that is not changes nothing
    fn greet(&mut self, reply: &Reply, extended: bool) {
        self.drop_transaction();
        self.greeted = true;
        let keywords = if extended {
            extensions::keywords(&self.settings)
        } else {
            Vec::new()
        };
        let reply = reply.for_hello(&self.settings.hostname, keywords);
        self.say(&reply, Flow::Flush);
    }

    fn say(&mut self, reply: &Reply, flow: Flow) {
        reply.write(&mut self.out);
        if flow == Flow::Flush || self.out.len() >= REPLIES_GATHERED_MAX {
            self.flow = Flow::Flush;
        }
    }

    fn write(&mut self) -> Step {
        self.flow = Flow::Gather;
        Step::Write(std::mem::take(&mut self.out))
    }

    fn ask(&mut self, pending: Pending, event: Event) {
        self.pending = Some(pending);
        self.events.push_back(event);
    }

    /// The machine's own no.
    fn refuse(&mut self, command: &'static str, reply: Reply) {
        let code = reply.code();
        self.say(&reply, Flow::Flush);
        self.events.push_back(Event::Refused { command, reply });
        self.count_error(code);
    }

    /// Only what the client should have known better counts: 4yz may be our own fault.
    fn count_error(&mut self, code: u16) {
        if code < 500 || matches!(self.phase, Phase::Closing { .. }) {
            return;
        }
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.settings.errors_max {
            self.hang_up(texts::too_many_errors());
        }
    }

    fn stop_if_idle(&mut self) {
        if self.stopping && self.pending.is_none() && matches!(self.phase, Phase::Commands(_)) {
            self.hang_up(texts::stopping(&self.settings.hostname));
        }
    }

    /// Ends the session by our own will.
    fn hang_up(&mut self, reply: Reply) {
        self.close();
        self.say(&reply, Flow::Flush);
        self.events.push_back(Event::Refused {
            command: "session",
            reply,
        });
    }

    fn close(&mut self) {
        self.drop_transaction();
        self.phase = Phase::Closing { quit: false };
    }

    /// The client ends the session.
    fn quit(&mut self) {
        self.say(&texts::quit(&self.settings.hostname), Flow::Flush);
        self.drop_transaction();
        self.phase = Phase::Closing { quit: true };
    }

    fn drop_transaction(&mut self) {
        if self.transaction.take().is_some() {
            self.events.push_back(Event::Discard);
        }
    }
}

impl Pending {
    /// A yes that does not fit the question is a bug of the caller and thus our fault: 354 starts
    /// a body and nothing else does.
    fn fitting(self, reply: Reply) -> Reply {
        let fits = match self {
            _ if !reply.is_yes() => true,
            Self::Data => reply.code() == 354,
            _ => reply.code() < 300,
        };
        debug_assert!(fits, "{reply} is no answer to {self:?}");
        if fits { reply } else { texts::our_fault() }
    }
}

#[cfg(test)]
mod tests;
