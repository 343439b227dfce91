//! The way to the writer.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::by_callers::WriterByCallers;
use super::order::{Asked, Order};
use super::thread::WriterThread;
use super::turns::{Turns, Waiting};
use crate::StoreError;
use crate::limits::WRITER_QUEUE_MAX;

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

    /// Orders that wait. Of a thread's those that have a place, which are no more than there are.
    pub(crate) fn waiting(&self) -> usize {
        match &self.hands {
            Hands::Thread(_) => WRITER_QUEUE_MAX.saturating_sub(self.room.available_permits()),
            Hands::Callers(callers) => callers.waiting(),
        }
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
