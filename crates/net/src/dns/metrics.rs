//! What is counted of questions to the DNS.

use std::time::Duration;

use mailtypes::dns::{Answer, DnsError, Kind, Question};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Counters of one cache. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    known: Counter,
    asked: Family<Asked, Counter>,
    took: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    r#type: &'static str,
    result: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            known: Counter::default(),
            asked: Family::default(),
            took: Histogram::new(BUCKETS),
        }
    }
}

impl Metrics {
    /// Names them, for whoever writes out the registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("dns");
        registry.register(
            "cache_hits",
            "Questions that the cache could answer",
            self.known.clone(),
        );
        registry.register(
            "queries",
            "Questions that servers were asked, by record type and what came of it",
            self.asked.clone(),
        );
        registry.register_with_unit(
            "query",
            "How long servers took to answer, or not to",
            Unit::Seconds,
            self.took.clone(),
        );
    }

    /// The cache knew.
    pub(super) fn hit(&self) {
        self.known.inc();
    }

    /// A server was asked.
    pub(super) fn asked(
        &self,
        question: &Question,
        outcome: &Result<Answer, DnsError>,
        took: Duration,
    ) {
        let label = Asked {
            r#type: kind(question.kind),
            result: result(outcome),
        };
        self.asked.get_or_create(&label).inc();
        self.took.observe(took.as_secs_f64());
    }
}

/// Seconds.
const BUCKETS: [f64; 11] = [
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0,
];

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::A => "A",
        Kind::Aaaa => "AAAA",
        Kind::Mx => "MX",
        Kind::Txt => "TXT",
        Kind::Ptr => "PTR",
    }
}

fn result(outcome: &Result<Answer, DnsError>) -> &'static str {
    match outcome {
        Ok(answer) if answer.records.is_empty() => "no_records",
        Ok(_) => "answer",
        Err(DnsError::NoSuchName) => "nxdomain",
        Err(DnsError::ServFail(_)) => "servfail",
        Err(DnsError::Refused(_)) => "refused",
        Err(DnsError::Timeout(_)) => "timeout",
        Err(DnsError::Network(_)) => "unreachable",
        Err(DnsError::Malformed(_)) => "malformed",
        Err(DnsError::TooManyAliases) => "alias_loop",
    }
}
