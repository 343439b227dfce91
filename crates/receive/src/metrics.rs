//! What is counted at the door.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use proto::smtp::{Reply, Verb};

/// Counters of all receivers that share it. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) sessions: Counter,
    pub(crate) messages: Counter,
    pub(crate) recipients: Counter,
    pub(crate) octets: Counter,
    refusals: Family<Refusal, Counter>,
    pub(crate) accept: Histogram,
}

/// By what refusals are told apart: our own words, so that a peer cannot make a new series.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    command: &'static str,
    code: u16,
    status: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            sessions: Counter::default(),
            messages: Counter::default(),
            recipients: Counter::default(),
            octets: Counter::default(),
            refusals: Family::default(),
            accept: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
        }
    }
}

impl Metrics {
    /// Names them, for whoever writes out the registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("smtp");
        let of = |counter: &Counter| counter.clone();
        registry.register("sessions", "SMTP sessions that began", of(&self.sessions));
        registry.register(
            "messages_accepted",
            "Messages that were answered with 250 after their data",
            of(&self.messages),
        );
        registry.register(
            "recipients_accepted",
            "Final recipients of these messages",
            of(&self.recipients),
        );
        registry.register_with_unit(
            "accepted",
            "Size of these messages as they came",
            Unit::Bytes,
            of(&self.octets),
        );
        registry.register(
            "refusals",
            "Refused commands and connections, by reply code and enhanced status code (RFC 3463)",
            self.refusals.clone(),
        );
        registry.register_with_unit(
            "accept",
            "From the end of the data until the message is durable or refused",
            Unit::Seconds,
            self.accept.clone(),
        );
    }

    /// A reply that says no.
    pub(crate) fn refused(&self, command: &str, reply: &Reply) {
        let label = Refusal {
            command: known(command),
            code: reply.code(),
            status: reply
                .enhanced()
                .map_or_else(String::new, |status| status.to_string()),
        };
        self.refusals.get_or_create(&label).inc();
    }
}

/// A verb as a label; what a client makes up is all the same.
fn known(command: &str) -> &'static str {
    if command == CONNECT {
        return CONNECT;
    }
    match Verb::split(command).0 {
        Verb::Unknown | Verb::Http(_) => "other",
        verb => verb.as_str(),
    }
}

/// What is refused before a client has said anything.
pub(crate) const CONNECT: &str = "connect";

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn verbs_that_clients_make_up_are_one_series() {
        let metrics = Metrics::default();
        for command in [
            "XYZZY", "CONNECT", "mail", "MAIL", "AUTH", "auth", "connect", "connect",
        ] {
            metrics.refused(command, &Reply::new(500, "5.5.2", "no"));
        }
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|l| l.starts_with("smtp_refusals_total"))
            .collect();
        assert_eq!(lines.len(), 4, "{text}");
        for verb in ["other", "MAIL", "AUTH", "connect"] {
            let wanted = format!("command=\"{verb}\",code=\"500\",status=\"5.5.2\"}} 2");
            assert!(lines.iter().any(|line| line.contains(&wanted)), "{lines:?}");
        }
    }
}
