//! The way to the writer, and the turns that it makes of orders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use mailtypes::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

use super::by_callers::WriterByCallers;
use super::order::{Asked, Order, Pending};
use super::thread::WriterThread;
use super::writer::Writer;
use crate::StoreError;
use crate::limits::WRITER_QUEUE_MAX;

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
}

/// Runs the writer's turns one after the other.
pub(crate) struct Turns {
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
    /// Runs behind each turn, outside any transaction.
    pub(crate) after: Box<dyn FnMut() + Send>,
}

impl Turns {
    pub(crate) fn run(&mut self, batch: Vec<Box<dyn Pending>>) {
        let turn = catch_unwind(AssertUnwindSafe(|| self.writer.turn(batch, (self.clock)())));
        if turn.is_err() {
            // Its callers see their answers dropped; the writer goes on for the others.
            error!("a turn of the writer panicked; the database is opened anew");
            self.writer.abandon();
        }
        (self.after)();
    }

    pub(crate) fn needs_recovery(&self) -> bool {
        self.writer.needs_recovery()
    }
}
