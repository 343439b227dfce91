//! The thread around the writer: waits for orders, gathers a batch, runs a turn.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::handle::{Turns, Waiting};
use super::locked;
use super::order::{Lasting, Pending};
use crate::StoreError;
use crate::limits::{TURN_OCTETS_MAX, TURN_REQUESTS_MAX};

/// The thread; clones share it.
#[derive(Clone)]
pub(crate) struct WriterThread {
    inbox: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Nothing is done any more, whatever waits.
    crashed: Arc<AtomicBool>,
}

impl WriterThread {
    pub(crate) fn start(mut turns: Turns) -> std::io::Result<Self> {
        let (inbox, orders) = mpsc::channel();
        let crashed = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&crashed);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let mut left = None;
                loop {
                    let batch = next_batch(&orders, &mut left, turns.patience());
                    if ends.load(Ordering::Acquire) {
                        return;
                    }
                    match batch {
                        Batch::Orders(batch) => turns.run(batch),
                        Batch::Nothing => turns.rest(),
                        Batch::Closed => break,
                    }
                }
                turns.rest();
            })?;
        Ok(Self {
            inbox: Arc::new(Mutex::new(Some(inbox))),
            thread: Arc::new(Mutex::new(Some(thread))),
            crashed,
        })
    }

    /// Queues an order up.
    pub(crate) fn send(&self, waiting: Waiting) -> Result<(), StoreError> {
        let inbox = locked(&self.inbox).clone();
        let inbox = inbox.ok_or(StoreError::Closed)?;
        inbox.send(waiting).map_err(|_| StoreError::Closed)
    }

    /// Carries out what waits, then ends the thread.
    pub(crate) fn close(&self) {
        drop(locked(&self.inbox).take());
        let thread = locked(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Ends the thread behind the turn that it is in.
    pub(crate) fn crash(&self) {
        self.crashed.store(true, Ordering::Release);
        self.close();
    }
}

enum Batch {
    Orders(Vec<Box<dyn Pending>>),
    Nothing,
    Closed,
}

/// Waits for the first order, then takes what else is there and can go with it, within the limits of
/// a turn.
fn next_batch(
    orders: &mpsc::Receiver<Waiting>,
    left: &mut Option<Waiting>,
    patience: Option<Duration>,
) -> Batch {
    let first = match (left.take(), patience) {
        (Some(waiting), _) => Ok(waiting),
        (None, Some(patience)) => orders.recv_timeout(patience),
        (None, None) => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    let first = match first {
        Ok(waiting) => waiting,
        Err(RecvTimeoutError::Timeout) => return Batch::Nothing,
        Err(RecvTimeoutError::Disconnected) => return Batch::Closed,
    };
    let mut batch = Gathered::new(first);
    for _ in 0..WAITS_MAX {
        while let Some(waiting) = batch.room().then(|| orders.try_recv().ok()).flatten() {
            if let Err(later) = batch.add(waiting) {
                *left = Some(later);
                return Batch::Orders(batch.orders);
            }
        }
        if !batch.can_wait() || !batch.room() {
            break;
        }
        let Ok(waiting) = orders.recv_timeout(GO_TOGETHER) else {
            break;
        };
        if let Err(later) = batch.add(waiting) {
            *left = Some(later);
            break;
        }
    }
    Batch::Orders(batch.orders)
}

/// The orders of a turn.
struct Gathered {
    orders: Vec<Box<dyn Pending>>,
    octets: usize,
}

impl Gathered {
    fn new(first: Waiting) -> Self {
        Self {
            octets: first.asked.weight(),
            orders: vec![first.asked],
        }
    }

    fn room(&self) -> bool {
        self.orders.len() < TURN_REQUESTS_MAX && self.octets <= TURN_OCTETS_MAX
    }

    /// Gives an order back that has to wait for the next turn.
    fn add(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let octets = self.octets + waiting.asked.weight();
        if octets > TURN_OCTETS_MAX || !goes_with(&*self.orders[0], &*waiting.asked) {
            return Err(waiting);
        }
        self.octets = octets;
        self.orders.push(waiting.asked);
        Ok(())
    }

    /// Whether it costs nobody anything to wait for more.
    fn can_wait(&self) -> bool {
        self.orders.iter().all(|asked| asked.can_wait())
    }
}

/// Orders that need a commit come together, and apart from the others.
pub(super) fn goes_with(one: &dyn Pending, other: &dyn Pending) -> bool {
    (one.lasting() == Lasting::Commit) == (other.lasting() == Lasting::Commit)
}

/// How long orders that can wait do so for others, whose sync then serves them all.
const GO_TOGETHER: Duration = Duration::from_millis(5);
/// How often in one turn.
const WAITS_MAX: usize = 2;
