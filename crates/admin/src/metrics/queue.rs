//! The queue and the body log as gauges.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use store::Census;
use store::limits::CENSUS_AGES;

/// What was found when somebody asked last.
#[derive(Debug, Default)]
pub(super) struct Queue {
    recipients: Family<Labels, Gauge>,
    older: Family<Older, Gauge>,
    oldest: Gauge<f64, std::sync::atomic::AtomicU64>,
    log: Family<Labels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Older {
    seconds: u64,
}

impl Queue {
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("postrider");
        registry.register(
            "queue_recipients",
            "Recipients in the queue: due, deferred or held",
            self.recipients.clone(),
        );
        registry.register(
            "queue_older_recipients",
            "Recipients due or deferred whose message is older than so many seconds",
            self.older.clone(),
        );
        registry.register_with_unit(
            "queue_oldest",
            "Age of the oldest message that is due or deferred",
            Unit::Seconds,
            self.oldest.clone(),
        );
        registry.register_with_unit(
            "body_log",
            "Body log: live is what a queue item or a mailbox refers to, dead is the rest",
            Unit::Bytes,
            self.log.clone(),
        );
    }

    pub(super) fn set(&self, census: &Census) {
        let put = |family: &Family<Labels, Gauge>, state, n| {
            family.get_or_create(&Labels { state }).set(gauge(n));
        };
        put(&self.recipients, "due", census.due);
        put(&self.recipients, "deferred", census.deferred);
        put(&self.recipients, "held", census.held);
        let dead = census.log_octets.saturating_sub(census.live_octets);
        put(&self.log, "live", census.live_octets);
        put(&self.log, "dead", dead);
        for (age, n) in CENSUS_AGES.iter().zip(census.older) {
            let label = Older {
                seconds: age.as_secs(),
            };
            self.older.get_or_create(&label).set(gauge(n));
        }
        let oldest = census.oldest.unwrap_or(Duration::ZERO);
        self.oldest.set(oldest.as_secs_f64());
    }
}

fn gauge(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
