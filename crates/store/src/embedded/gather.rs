//! What goes into one turn of the writer's thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use mailtypes::Timestamp;

use super::order::{Lasting, Pending};
use super::turns::{Clock, Waiting};
use crate::limits::{TURN_OCTETS_MAX, TURN_REQUESTS_MAX};

/// Gathers orders as they come.
pub(super) struct Gather {
    inbox: Receiver<Waiting>,
    clock: Clock,
    /// It came, and could not go with those before it.
    left: Option<Waiting>,
    /// They wait for others while a question is answered.
    kept: Option<Gathered>,
}

/// What there is to do.
pub(super) enum Batch {
    Orders(Vec<Box<dyn Pending>>),
    /// Nothing has come.
    Nothing,
    Closed,
}

impl Gather {
    pub(super) fn new(inbox: Receiver<Waiting>, clock: Clock) -> Self {
        Self {
            inbox,
            clock,
            left: None,
            kept: None,
        }
    }

    /// Waits for the first order, for as long as `patience` says, then takes what else is there and
    /// can go with it, within the limits of a turn. Orders that can wait do so for others, whose sync
    /// then serves them all; a question needs none, and goes in front of them.
    pub(super) fn next(&mut self, patience: Option<Duration>) -> Batch {
        let mut batch = match self.kept.take() {
            Some(kept) => kept,
            None => match self.first(patience) {
                Ok(first) => Gathered::new(first, (self.clock)()),
                Err(RecvTimeoutError::Timeout) => return Batch::Nothing,
                Err(RecvTimeoutError::Disconnected) => return Batch::Closed,
            },
        };
        while batch.has_room() {
            let Some(waiting) = self.another(&batch) else {
                break;
            };
            let is_question = waiting.asked.lasting() == Lasting::Nothing;
            if is_question && batch.can_wait() && batch.passed < PASSED_MAX {
                batch.passed += 1;
                self.kept = Some(batch);
                return Batch::Orders(vec![waiting.asked]);
            }
            if let Err(later) = batch.add(waiting) {
                self.left = Some(later);
                break;
            }
        }
        Batch::Orders(batch.orders)
    }

    fn first(&mut self, patience: Option<Duration>) -> Result<Waiting, RecvTimeoutError> {
        match (self.left.take(), patience) {
            (Some(waiting), _) => Ok(waiting),
            (None, Some(patience)) => self.inbox.recv_timeout(patience),
            (None, None) => {
                let first = self.inbox.recv();
                first.map_err(|_| RecvTimeoutError::Disconnected)
            }
        }
    }

    /// The next order that is there, or comes while those before it can wait.
    fn another(&mut self, batch: &Gathered) -> Option<Waiting> {
        let there = self.inbox.try_recv().ok();
        if there.is_some() || !batch.can_wait() {
            return there;
        }
        let left = batch.until.since((self.clock)());
        self.inbox.recv_timeout(left).ok()
    }
}

/// The orders of a turn.
struct Gathered {
    orders: Vec<Box<dyn Pending>>,
    octets: usize,
    /// Whether it costs nobody anything to wait for more, and how long at most.
    can_wait: bool,
    until: Timestamp,
    /// Questions that went in front.
    passed: u32,
}

impl Gathered {
    fn new(first: Waiting, now: Timestamp) -> Self {
        Self {
            octets: first.asked.weight(),
            can_wait: first.asked.can_wait(),
            until: now + GO_TOGETHER,
            passed: 0,
            orders: vec![first.asked],
        }
    }

    fn has_room(&self) -> bool {
        self.orders.len() < TURN_REQUESTS_MAX && self.octets <= TURN_OCTETS_MAX
    }

    fn can_wait(&self) -> bool {
        self.can_wait
    }

    /// Gives an order back that has to wait for the next turn.
    fn add(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let octets = self.octets + waiting.asked.weight();
        if octets > TURN_OCTETS_MAX || !goes_with(&*self.orders[0], &*waiting.asked) {
            return Err(waiting);
        }
        self.octets = octets;
        self.can_wait &= waiting.asked.can_wait();
        self.orders.push(waiting.asked);
        Ok(())
    }
}

/// Orders that need a commit come together, and apart from the others.
pub(super) fn goes_with(one: &dyn Pending, other: &dyn Pending) -> bool {
    (one.lasting() == Lasting::Commit) == (other.lasting() == Lasting::Commit)
}

/// How long orders that can wait do so.
const GO_TOGETHER: Duration = Duration::from_millis(5);
/// How many questions go in front of them.
const PASSED_MAX: u32 = 8;
