//! The thread around the writer: waits for orders, gathers a batch, runs a turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mailtypes::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;

use super::order::{Asked, Order, Pending};
use super::writer::Writer;
use crate::StoreError;
use crate::limits::{TURN_BODY_MAX, TURN_REQUESTS_MAX, WRITER_QUEUE_MAX};

/// Tells the time to the threads of the store.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The way to the writer; clones share it.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    inbox: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
    room: Arc<Semaphore>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

struct Waiting {
    asked: Box<dyn Pending>,
    _room: OwnedSemaphorePermit,
}

impl WriterHandle {
    /// Starts the thread. `after_turn` runs behind each turn, outside any transaction.
    pub(crate) fn start(
        mut writer: Writer,
        clock: Clock,
        mut after_turn: impl FnMut() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (inbox, orders) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let mut left = None;
                loop {
                    let batch = match next_batch(&orders, &mut left, writer.needs_recovery()) {
                        Batch::Orders(batch) => batch,
                        Batch::Nothing => Vec::new(),
                        Batch::Closed => break,
                    };
                    let turn = catch_unwind(AssertUnwindSafe(|| writer.turn(batch, clock())));
                    if turn.is_err() {
                        // Its callers see their answers dropped; the thread goes on for the others.
                        error!("a turn of the writer panicked; the database is opened anew");
                        writer.abandon();
                    }
                    after_turn();
                }
            })?;
        Ok(Self {
            inbox: Arc::new(Mutex::new(Some(inbox))),
            room: Arc::new(Semaphore::new(WRITER_QUEUE_MAX)),
            thread: Arc::new(Mutex::new(Some(thread))),
        })
    }

    /// Has an order carried out; resolves when it is durable, or failed.
    pub(crate) async fn carry_out<O: Order>(&self, order: O) -> Result<O::Answer, O::Error> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let (asked, answer) = Asked::new(order);
        let inbox = self
            .inbox
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let inbox = inbox.ok_or(StoreError::Closed)?;
        let waiting = Waiting {
            asked: Box::new(asked),
            _room: room,
        };
        inbox.send(waiting).map_err(|_| StoreError::Closed)?;
        answer
            .await
            .map_err(|_| StoreError::Unknown("the order was dropped on the way".to_owned()))?
    }

    /// Carries out what waits, then ends the thread.
    pub(crate) fn close(&self) {
        drop(
            self.inbox
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

enum Batch {
    Orders(Vec<Box<dyn Pending>>),
    Nothing,
    Closed,
}

/// Waits for the first order, then takes what else is there, within the limits of a turn.
fn next_batch(
    orders: &mpsc::Receiver<Waiting>,
    left: &mut Option<Waiting>,
    needs_recovery: bool,
) -> Batch {
    let first = match left.take() {
        Some(waiting) => waiting,
        None if needs_recovery => match orders.recv_timeout(RECOVERY_PAUSE) {
            Ok(waiting) => waiting,
            Err(RecvTimeoutError::Timeout) => return Batch::Nothing,
            Err(RecvTimeoutError::Disconnected) => return Batch::Closed,
        },
        None => match orders.recv() {
            Ok(waiting) => waiting,
            Err(_) => return Batch::Closed,
        },
    };
    let mut octets = body_len(&first);
    let mut batch = vec![first.asked];
    while batch.len() < TURN_REQUESTS_MAX {
        let Ok(waiting) = orders.try_recv() else {
            break;
        };
        octets += body_len(&waiting);
        if octets > TURN_BODY_MAX {
            *left = Some(waiting);
            break;
        }
        batch.push(waiting.asked);
    }
    Batch::Orders(batch)
}

fn body_len(waiting: &Waiting) -> usize {
    waiting
        .asked
        .body()
        .map_or(0, |(_, octets, _)| octets.len())
}

/// How long the writer waits before it tries again to mend what a disk error left.
const RECOVERY_PAUSE: Duration = Duration::from_millis(500);
