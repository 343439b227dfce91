//! A writer without a thread: whoever waits for it first, works for all. One thread that does one
//! thing after the other can be replayed; that is what simulations need.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::gather::goes_with;
use super::locked;
use super::turns::{Turns, Waiting};
use crate::StoreError;
use crate::limits::{TURN_OCTETS_MAX, TURN_REQUESTS_MAX};

/// The writer; clones share it.
#[derive(Clone)]
pub(crate) struct WriterByCallers(Arc<Mutex<State>>);

struct State {
    /// `None`: closed.
    turns: Option<Turns>,
    queue: Vec<Waiting>,
}

impl WriterByCallers {
    pub(crate) fn new(turns: Turns) -> Self {
        Self(Arc::new(Mutex::new(State {
            turns: Some(turns),
            queue: Vec::new(),
        })))
    }

    /// Queues an order up.
    pub(crate) fn send(&self, waiting: Waiting) -> Result<(), StoreError> {
        let mut state = locked(&self.0);
        if state.turns.is_none() {
            return Err(StoreError::Closed);
        }
        state.queue.push(waiting);
        Ok(())
    }

    /// Orders that are in the queue, whether they have a place or not.
    pub(crate) fn waiting(&self) -> usize {
        locked(&self.0).queue.len()
    }

    /// Lets others queue up first, as they would while a thread wakes up; then does what waits.
    pub(crate) async fn work(&self) {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        locked(&self.0).work();
    }

    /// Does what waits, then gives the writer up.
    pub(crate) fn close(&self) {
        let mut state = locked(&self.0);
        state.work();
        if let Some(mut turns) = state.turns.take() {
            turns.rest();
            turns.writer.log.close();
        }
    }

    /// Gives the writer up as it stands.
    pub(crate) fn crash(&self) {
        let mut state = locked(&self.0);
        state.queue.clear();
        state.turns = None;
    }
}

impl State {
    fn work(&mut self) {
        let Some(turns) = &mut self.turns else {
            return self.queue.clear();
        };
        while let Some(first) = self.queue.first() {
            let mut octets = 0;
            let together = self.queue.iter().take(TURN_REQUESTS_MAX);
            let len = together
                .take_while(|waiting| {
                    octets += waiting.asked.weight();
                    octets <= TURN_OCTETS_MAX && goes_with(&*first.asked, &*waiting.asked)
                })
                .count();
            let batch = self.queue.drain(..len.max(1)).map(|waiting| waiting.asked);
            turns.run(batch.collect());
        }
    }
}
