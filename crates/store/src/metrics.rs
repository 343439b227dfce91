//! What is counted of the disk, and how long it was waited for.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Time that only passes, since some moment; finer than a `Timestamp`.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Counters of one store. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    groups: Histogram,
    sync: Histogram,
    commit: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        // From a tenth of a millisecond to three seconds.
        let of_times = || Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        Self {
            groups: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            sync: of_times(),
            commit: of_times(),
        }
    }
}

impl Metrics {
    /// Names them, for whoever writes out the registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("store");
        registry.register(
            "group_orders",
            "Orders that one write to the body log and one sync of it made durable",
            self.groups.clone(),
        );
        registry.register_with_unit(
            "sync",
            "Writing a group to the body log and forcing it to disk",
            Unit::Seconds,
            self.sync.clone(),
        );
        registry.register_with_unit(
            "commit",
            "Commits of the database",
            Unit::Seconds,
            self.commit.clone(),
        );
    }
}

/// Times what the writer waits for.
pub(crate) struct Timing {
    pub(crate) metrics: Metrics,
    pub(crate) stopwatch: Stopwatch,
}

impl Timing {
    pub(crate) fn begin(&self) -> Duration {
        (self.stopwatch)()
    }

    /// So many orders have become durable together.
    pub(crate) fn synced(&self, began: Duration, orders: usize) {
        self.metrics.sync.observe(self.since(began));
        let orders = u32::try_from(orders).unwrap_or(u32::MAX);
        self.metrics.groups.observe(f64::from(orders));
    }

    pub(crate) fn committed(&self, began: Duration) {
        self.metrics.commit.observe(self.since(began));
    }

    fn since(&self, began: Duration) -> f64 {
        self.begin().saturating_sub(began).as_secs_f64()
    }
}
