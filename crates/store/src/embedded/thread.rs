//! The thread around the writer: waits for orders, gathers a batch, runs a turn.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::handle::{Turns, Waiting};
use super::locked;
use super::order::Pending;
use crate::StoreError;
use crate::limits::{TURN_BODY_MAX, TURN_REQUESTS_MAX};

/// The thread; clones share it.
#[derive(Clone)]
pub(crate) struct WriterThread {
    inbox: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl WriterThread {
    pub(crate) fn start(mut turns: Turns) -> std::io::Result<Self> {
        let (inbox, orders) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let mut left = None;
                loop {
                    let batch = match next_batch(&orders, &mut left, turns.needs_recovery()) {
                        Batch::Orders(batch) => batch,
                        Batch::Nothing => Vec::new(),
                        Batch::Closed => break,
                    };
                    turns.run(batch);
                }
            })?;
        Ok(Self {
            inbox: Arc::new(Mutex::new(Some(inbox))),
            thread: Arc::new(Mutex::new(Some(thread))),
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
