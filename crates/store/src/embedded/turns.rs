//! The turns that the writer makes of orders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tracing::error;

use super::order::Pending;
use super::writer::Writer;

/// Tells the time to the threads of the store.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An order in the queue, with its place there.
pub(crate) struct Waiting {
    pub(crate) asked: Box<dyn Pending>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// Runs the writer's turns one after the other.
pub(crate) struct Turns {
    pub(crate) writer: Writer,
    pub(crate) clock: Clock,
    /// Runs behind each turn that has committed something; tells whether the WAL is to be cut.
    pub(crate) after: Box<dyn FnMut() -> bool + Send>,
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
            Ok(true) => {
                if (self.after)() {
                    self.writer.cut_wal();
                }
            }
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
            self.writer.ahead.left((self.clock)())
        }
    }
}

/// How long the writer waits before it tries again to mend what a disk error left.
const RECOVERY_PAUSE: Duration = Duration::from_millis(500);
