//! What housekeeping works with.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mailtypes::Timestamp;
use rusqlite::Connection;

use super::handle::WriterHandle;
use super::turns::Clock;
use crate::body_log::{BodyReader, Numbers};
use crate::disk::Disk;

/// Everything that the work needs.
pub(crate) struct Housekeeper {
    pub(crate) db: Connection,
    pub(crate) writer: WriterHandle,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) numbers: Numbers,
    pub(crate) bodies: BodyReader,
    pub(crate) clock: Clock,
    /// Segments that could not be compacted: damage is reported, not tried over and over.
    pub(crate) given_up: RefCell<BTreeSet<i64>>,
    /// Segments that could be compacted, and since when.
    pub(crate) mostly_dead: RefCell<BTreeMap<i64, Timestamp>>,
    /// How long they wait for that.
    pub(crate) compact_after: Duration,
}

/// Waits for the writer from a thread that has no runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    use std::task::{Context, Poll, Wake, Waker};

    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
