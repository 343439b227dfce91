//! The octets of a message on its way out.

use std::sync::Arc;

use mailtypes::ItemId;
use store::{MessageReader, ReadError, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{READ_AHEAD_LEN_MAX, READ_AHEAD_MAX};

/// Where the octets come from.
pub(crate) enum Source {
    /// Read ahead; the permit counts them.
    Ready(
        Option<Vec<u8>>,
        #[expect(dead_code, reason = "counts")] OwnedSemaphorePermit,
    ),
    /// Read piece by piece.
    Reader(MessageReader),
    /// Nothing can be read, for this reason.
    Unreadable(Option<ReadError>),
}

impl Source {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Ready(octets, _) => Ok(octets.take()),
            Self::Reader(reader) => reader.next().await,
            Self::Unreadable(error) => match error.take() {
                Some(error) => Err(error),
                None => Ok(None),
            },
        }
    }
}

/// Counts what is read ahead.
#[derive(Clone, Debug)]
pub(crate) struct Ahead(Arc<Semaphore>);

impl Ahead {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(READ_AHEAD_MAX)))
    }

    /// Opens the message of an item, and reads it at once when it is small and there is room.
    /// `None` when the queue does not have it any more.
    pub(crate) async fn open<S: Store>(
        &self,
        store: &S,
        item: ItemId,
        size: u64,
    ) -> Option<Source> {
        let reader = match store.open_item(item).await {
            Ok(reader) => reader?,
            Err(error) => return Some(Source::Unreadable(Some(error))),
        };
        let permit = u32::try_from(size)
            .ok()
            .filter(|_| size <= READ_AHEAD_LEN_MAX)
            .and_then(|size| Arc::clone(&self.0).try_acquire_many_owned(size).ok());
        let Some(permit) = permit else {
            return Some(Source::Reader(reader));
        };
        Some(match reader.read_all().await {
            Ok(octets) => Source::Ready(Some(octets), permit),
            Err(error) => Source::Unreadable(Some(error)),
        })
    }
}
