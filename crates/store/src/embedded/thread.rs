//! The thread around the writer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::gather::{Batch, Gather};
use super::locked;
use super::turns::{Turns, Waiting};
use crate::StoreError;

/// The thread; clones share it.
#[derive(Clone)]
pub(crate) struct WriterThread {
    inbox: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    /// Nothing is done any more, whatever waits.
    crashed: Arc<AtomicBool>,
    /// Somebody waits for the end, and holds the lock of the folder until then.
    closing: Arc<AtomicBool>,
}

impl WriterThread {
    pub(crate) fn start(mut turns: Turns) -> std::io::Result<Self> {
        let (inbox, orders) = mpsc::channel();
        let crashed = Arc::<AtomicBool>::default();
        let ends = Arc::clone(&crashed);
        let closing = Arc::<AtomicBool>::default();
        let awaited = Arc::clone(&closing);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                let mut gather = Gather::new(orders, Arc::clone(&turns.clock));
                loop {
                    let batch = gather.next(turns.patience());
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
                if awaited.load(Ordering::Acquire) {
                    turns.writer.log.close();
                }
            })?;
        Ok(Self {
            inbox: Arc::new(Mutex::new(Some(inbox))),
            thread: Arc::new(Mutex::new(Some(thread))),
            crashed,
            closing,
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
        self.closing.store(true, Ordering::Release);
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
