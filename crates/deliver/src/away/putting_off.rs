//! Mail that is put off without being tried. That is written down as there is time for it: whoever
//! hires workers does not wait for it.

use std::sync::Arc;

use mailtypes::{Status, Timestamp};
use store::{Due, Store};
use tokio::task::JoinSet;

use crate::shared::Shared;
use crate::sites::age::{Age, ByAge};

/// Those who tell of it.
#[derive(Default)]
pub(super) struct PuttingOff {
    tasks: JoinSet<()>,
    /// Each of them holds the one of its age.
    held: ByAge<Arc<()>>,
}

/// A recipient, why, and until when.
pub(super) type PutOff = (Due, Status, Timestamp);

impl PuttingOff {
    /// Whether the last ones of an age are still being told of: then no more of it is looked at.
    pub(super) fn is_busy(&self, age: Age) -> bool {
        Arc::strong_count(&self.held[age]) > 1
    }

    pub(super) fn add<S, R, D>(&mut self, shared: &Arc<Shared<S, R, D>>, all: Vec<PutOff>)
    where
        S: Store,
        R: Send + Sync + 'static,
        D: Send + Sync + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        let is_fresh = |(due, ..): &PutOff| Age::of(due) == Age::Fresh;
        let (fresh, again): (Vec<_>, Vec<_>) = all.into_iter().partition(is_fresh);
        for (age, some) in [(Age::Fresh, fresh), (Age::Again, again)] {
            if some.is_empty() {
                continue;
            }
            let (shared, held) = (Arc::clone(shared), Arc::clone(&self.held[age]));
            self.tasks.spawn(async move {
                for (due, status, until) in some {
                    shared.postpone([due], &status, until).await;
                }
                drop(held);
                shared.changed.notify_one();
            });
        }
    }

    /// Waits until all have been told of.
    pub(super) async fn end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
