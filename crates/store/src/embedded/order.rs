//! What the writer carries out: orders with an answer, several in one transaction.

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::turn::Turn;
use crate::StoreError;
use crate::error::StoreFault;

/// One change of the store. All of it happens, or nothing.
pub(crate) trait Order: Send + 'static {
    /// What the caller is told when the change is durable.
    type Answer: Send + 'static;
    /// What the caller is told when it did not happen.
    type Error: From<StoreError> + From<rusqlite::Error> + StoreFault + Send + 'static;

    /// The id and octets of a body that goes into the log with the entry: only for what lasts by
    /// the journal.
    fn body(&self) -> Option<(i64, &[u8], u32)> {
        None
    }

    /// About how many octets it makes the turn write.
    fn weight(&self) -> usize {
        self.body().map_or(0, |(_, octets, _)| octets.len())
    }

    /// What makes the change last.
    fn lasting(&self) -> Lasting {
        Lasting::Commit
    }

    /// Whether nobody is kept waiting when it takes some milliseconds: then it goes with others.
    const CAN_WAIT: bool = false;

    /// Whether the change is only made while somebody still waits for its answer.
    const ONLY_IF_AWAITED: bool = false;

    /// Whether it looks for messages without rows where they are. Before any other order they get
    /// their rows.
    fn knows_young(&self) -> bool {
        false
    }

    /// Makes the change inside the running transaction.
    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<Self::Answer, Self::Error>;

    /// The last word: what became of the change.
    fn settled(&mut self, _fate: Fate) {}

    /// After a commit of unknown outcome: the answer, when the change is found to have happened. An
    /// error leaves it unknown. The default suits orders that may be given again; one whose caller
    /// throws something away when it fails has to look.
    fn reconcile(&self, _db: &Connection) -> rusqlite::Result<Option<Self::Answer>> {
        Ok(None)
    }
}

/// What has to be on disk before an order is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// A commit that has it: for what comes seldom.
    Commit,
    /// An entry of the journal: all its writing is done by [`Turn::write`].
    Journal,
    /// It changes nothing.
    Nothing,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is durable.
    Happened,
    /// It did not happen and never will.
    Not,
    /// Nobody knows.
    Unknown,
}

/// An order in the writer's hands, whatever its types.
pub(crate) trait Pending: Send {
    /// See [`Order::body`].
    fn body(&self) -> Option<(i64, &[u8], u32)>;
    /// See [`Order::weight`].
    fn weight(&self) -> usize;
    /// See [`Order::lasting`].
    fn lasting(&self) -> Lasting;
    /// See [`Order::knows_young`].
    fn knows_young(&self) -> bool;
    /// See [`Order::CAN_WAIT`].
    fn can_wait(&self) -> bool;
    /// Carries the order out and keeps the answer; `false` asks for its savepoint to be undone.
    fn apply(&mut self, turn: &mut Turn<'_>) -> bool;
    /// The order did not happen. One that had failed by itself keeps its own reason.
    fn fail(&mut self, error: StoreError);
    /// The store's fault behind its failure, if that is what it was.
    fn why(&self) -> Option<StoreError>;
    /// Looks whether the order happened after all.
    fn reconcile(&mut self, db: &Connection, error: &StoreError);
    /// Tells the caller.
    fn settle(self: Box<Self>);
}

/// What became of an order.
type Outcome<O> = Result<<O as Order>::Answer, <O as Order>::Error>;

/// An order and who waits for its answer.
pub(crate) struct Asked<O: Order> {
    order: O,
    outcome: Option<Outcome<O>>,
    asker: oneshot::Sender<Outcome<O>>,
}

impl<O: Order> Asked<O> {
    pub(crate) fn new(order: O) -> (Self, oneshot::Receiver<Outcome<O>>) {
        let (asker, answer) = oneshot::channel();
        (
            Self {
                order,
                outcome: None,
                asker,
            },
            answer,
        )
    }
}

impl<O: Order> Pending for Asked<O> {
    fn body(&self) -> Option<(i64, &[u8], u32)> {
        self.order.body()
    }

    fn weight(&self) -> usize {
        self.order.weight()
    }

    fn lasting(&self) -> Lasting {
        self.order.lasting()
    }

    fn knows_young(&self) -> bool {
        self.order.knows_young()
    }

    fn can_wait(&self) -> bool {
        O::CAN_WAIT
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> bool {
        if O::ONLY_IF_AWAITED && self.asker.is_closed() {
            self.fail(StoreError::Closed);
            return false;
        }
        let outcome = self.order.apply(turn);
        let happened = outcome.is_ok();
        self.outcome = Some(outcome);
        happened
    }

    fn fail(&mut self, error: StoreError) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(error.into()));
        }
    }

    fn why(&self) -> Option<StoreError> {
        self.outcome
            .as_ref()?
            .as_ref()
            .err()?
            .store_fault()
            .cloned()
    }

    fn reconcile(&mut self, db: &Connection, error: &StoreError) {
        // An order that had failed by itself stays failed.
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(match self.order.reconcile(db) {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => Err(error.clone().into()),
                Err(unread) => Err(StoreError::Unknown(unread.to_string()).into()),
            });
        }
    }

    fn settle(mut self: Box<Self>) {
        let outcome = self
            .outcome
            .take()
            .unwrap_or_else(|| Err(StoreError::Closed.into()));
        self.order.settled(match &outcome {
            Ok(_) => Fate::Happened,
            Err(error) if matches!(error.store_fault(), Some(StoreError::Unknown(_))) => {
                Fate::Unknown
            }
            Err(_) => Fate::Not,
        });
        // A caller that has gone away misses its answer, as with a lost connection.
        let _ = self.asker.send(outcome);
    }
}
