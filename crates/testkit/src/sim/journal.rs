//! What happened, for whoever looks into a failure.

use std::sync::{Arc, Mutex, PoisonError};

use net::Clock;

/// Lines with their time; clones share them.
#[derive(Clone)]
pub(super) struct Journal {
    clock: Clock,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Journal {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            lines: Arc::default(),
        }
    }

    pub(super) fn note(&self, what: &str) {
        let line = format!("{} {what}", self.clock.now());
        self.lock().push(line);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
