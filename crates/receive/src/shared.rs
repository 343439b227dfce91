//! What the sessions of a receiver have in common, and what they are told.

use std::sync::Arc;

use arc_swap::ArcSwap;
use net::Clock;
use tokio::sync::{Notify, watch};

use crate::{Metrics, Settings};

/// What a server is told to do; the value travels in a `tokio::sync::watch` channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Take connections and serve them.
    Serve,
    /// Take no more connections; those that are open go on to their own end.
    Drain,
    /// Take no more connections; sessions end now, those within a body in a moment.
    Stop,
}

/// What all sessions of a receiver have in common.
pub(crate) struct Shared<S> {
    pub(crate) store: S,
    pub(crate) clock: Clock,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    /// Tells the deliverer that something is due.
    pub(crate) wake: Arc<Notify>,
    pub(crate) metrics: Metrics,
}

/// The phase, where a lost sender means stop.
pub(crate) fn current(phase: &watch::Receiver<Phase>) -> Phase {
    if phase.has_changed().is_err() {
        Phase::Stop
    } else {
        *phase.borrow()
    }
}
