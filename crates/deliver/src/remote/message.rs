//! The octets of messages on their way out.

use std::sync::Arc;

use mailtypes::ItemId;
use store::{MessageReader, ReadError, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::job::Job;
use crate::limits::{READ_AHEAD_LEN_MAX, READ_AHEAD_MAX};

/// Where the octets of one message come from.
pub(crate) enum Source {
    /// From here; the permit counts what has been read ahead.
    Reader(
        Box<MessageReader>,
        #[expect(dead_code, reason = "counts")] Option<OwnedSemaphorePermit>,
    ),
    /// Nothing can be read, for this reason.
    Unreadable(Option<ReadError>),
}

impl Source {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Reader(reader, _) => reader.next().await,
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

    /// Opens the messages of jobs, in order, and reads those at once that are small, as far as there
    /// is room. `None` where the queue does not have it any more.
    pub(crate) async fn open<S: Store>(&self, store: &S, jobs: &[Job]) -> Vec<Option<Source>> {
        let permits: Vec<_> = jobs.iter().map(|job| self.permit(job.size())).collect();
        let wanted: Vec<(ItemId, bool)> = jobs
            .iter()
            .zip(&permits)
            .map(|(job, permit)| (job.item(), permit.is_some()))
            .collect();
        let opened = store.open_items(wanted).await;
        let sources = opened.into_iter().zip(permits);
        sources
            .map(|(opened, permit)| match opened {
                Ok(reader) => Some(Source::Reader(Box::new(reader?), permit)),
                Err(error) => Some(Source::Unreadable(Some(error))),
            })
            .collect()
    }

    fn permit(&self, size: u64) -> Option<OwnedSemaphorePermit> {
        if size > READ_AHEAD_LEN_MAX {
            return None;
        }
        let octets = u32::try_from(size).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(octets).ok()
    }
}
