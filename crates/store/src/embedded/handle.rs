//! The way to the writer, and the turns that it makes of orders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

use super::by_callers::WriterByCallers;
use super::order::{Asked, Order, Pending};
use super::thread::WriterThread;
use super::writer::Writer;
use crate::StoreError;
use crate::limits::{COMMIT_EVERY, WRITER_QUEUE_MAX};

/// Tells the time to the threads of the store.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The way to the writer; clones share it.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    hands: Hands,
    room: Arc<Semaphore>,
}

/// Who does the writer's work.
#[derive(Clone)]
enum Hands {
    Thread(WriterThread),
    Callers(WriterByCallers),
}

/// An order in the queue, with its place there.
pub(crate) struct Waiting {
    pub(crate) asked: Box<dyn Pending>,
    _room: OwnedSemaphorePermit,
}

impl WriterHandle {
    /// A writer with a thread of its own.
    pub(crate) fn with_thread(turns: Turns) -> std::io::Result<Self> {
        Ok(Self::new(Hands::Thread(WriterThread::start(turns)?)))
    }

    /// A writer without a thread.
    pub(crate) fn by_callers(turns: Turns) -> Self {
        Self::new(Hands::Callers(WriterByCallers::new(turns)))
    }

    fn new(hands: Hands) -> Self {
        let room = Arc::new(Semaphore::new(WRITER_QUEUE_MAX));
        Self { hands, room }
    }

    /// Has an order carried out; resolves when it is durable, or failed.
    pub(crate) async fn carry_out<O: Order>(&self, order: O) -> Result<O::Answer, O::Error> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (asked, answer) = Asked::new(order);
        let waiting = Waiting {
            asked: Box::new(asked),
            _room: room,
        };
        match &self.hands {
            Hands::Thread(thread) => thread.send(waiting)?,
            Hands::Callers(callers) => {
                callers.send(waiting)?;
                callers.work().await;
            }
        }
        answer
            .await
            .map_err(|_| StoreError::Unknown("the order was dropped on the way".to_owned()))?
    }

    /// Carries out what waits, then ends the writer.
    pub(crate) fn close(&self) {
        match &self.hands {
            Hands::Thread(thread) => thread.close(),
            Hands::Callers(callers) => callers.close(),
        }
    }

    /// Ends the writer: what waits is not done, and what is promised is not committed.
    pub(crate) fn crash(&self) {
        match &self.hands {
            Hands::Thread(thread) => thread.crash(),
            Hands::Callers(callers) => callers.crash(),
        }
    }
}

/// Runs the writer's turns one after the other.
pub(crate) struct Turns {
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
    /// Runs behind each turn that has committed something.
    pub(crate) after: Box<dyn FnMut() + Send>,
}

impl Turns {
    pub(crate) fn run(&mut self, batch: Vec<Box<dyn Pending>>) {
        let now = (self.clock)();
        self.guarded(|writer| writer.turn(batch, now));
    }

    /// Nothing has come for a while: commits what is promised, mends what is broken.
    pub(crate) fn rest(&mut self) {
        let now = (self.clock)();
        self.guarded(|writer| {
            writer.rest(now);
            true
        });
    }

    /// Does a turn; behind one that has committed something comes what follows from that.
    fn guarded(&mut self, turn: impl FnOnce(&mut Writer) -> bool) {
        match catch_unwind(AssertUnwindSafe(|| turn(&mut self.writer))) {
            Ok(false) => {}
            Ok(true) => (self.after)(),
            Err(_) => {
                // Its callers see their answers dropped; the writer goes on for the others.
                error!("a turn of the writer panicked; the database is opened anew");
                self.writer.abandon();
            }
        }
    }

    /// How long to wait for orders before there is something else to do.
    pub(crate) fn patience(&self) -> Option<Duration> {
        if self.writer.needs_recovery() {
            Some(RECOVERY_PAUSE)
        } else {
            self.writer.is_ahead().then_some(COMMIT_EVERY)
        }
    }
}

/// How long the writer waits before it tries again to mend what a disk error left.
const RECOVERY_PAUSE: Duration = Duration::from_millis(500);
