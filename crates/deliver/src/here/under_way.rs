//! Tasks under way, and what each of them works on.

use std::collections::HashMap;
use std::time::Duration;

use store::Due;
use tokio::task::{Id, JoinError, JoinSet};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    tasks: JoinSet<Work>,
    on: HashMap<Id, Due>,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It came to its end.
    Done,
    /// Its time was over.
    Overdue,
}

/// A task that has ended: what it worked on, and how it ended.
pub(super) type Left = (Due, Result<Work, JoinError>);

impl UnderWay {
    pub(super) fn begin(&mut self, due: Due, work: impl Future<Output = Work> + Send + 'static) {
        let id = self.tasks.spawn(work).id();
        self.on.insert(id, due);
    }

    /// The next one that ends; never when there is none.
    pub(super) async fn next(&mut self) -> Left {
        loop {
            match self.tasks.join_next_with_id().await {
                Some(left) => {
                    if let Some(left) = self.sorted(left) {
                        return left;
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// One that has ended.
    pub(super) fn try_next(&mut self) -> Option<Left> {
        let left = self.tasks.try_join_next_with_id()?;
        self.sorted(left)
    }

    /// Waits until all have ended, or `patience` is at its end.
    pub(super) async fn end(&mut self, patience: Duration) -> Vec<Left> {
        let mut all = Vec::new();
        let gather = async {
            while !self.on.is_empty() {
                all.push(self.next().await);
            }
        };
        if tokio::time::timeout(patience, gather).await.is_err() {
            tracing::warn!("a delivery is left to itself: it is looked for after the next start");
        }
        all
    }

    fn sorted(&mut self, left: Result<(Id, Work), JoinError>) -> Option<Left> {
        let (id, work) = match left {
            Ok((id, work)) => (id, Ok(work)),
            Err(error) => (error.id(), Err(error)),
        };
        Some((self.on.remove(&id)?, work))
    }
}
