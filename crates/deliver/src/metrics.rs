//! What is counted on the way out.

use mailtypes::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use proto::smtp::client::Exchange;
use store::{Destination, Due, Outcome, ReportKind};

/// Counters of one deliverer. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    attempts: Family<Attempted, Counter>,
    reports: Family<Reported, Counter>,
    delay: Family<Way, Histogram>,
    pub(crate) phases: Phases,
}

/// How long the parts of an SMTP conversation took.
#[derive(Clone, Debug)]
pub(crate) struct Phases(Family<Phase, Histogram>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempted {
    destination: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reported {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    destination: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Phase {
    phase: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            attempts: Family::default(),
            reports: Family::default(),
            // From a millisecond to twelve days: longer than a message lives.
            delay: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 16))
            }),
            phases: Phases::default(),
        };
        metrics.begin();
        metrics
    }
}

impl Default for Phases {
    fn default() -> Self {
        let of_a_phase = || Histogram::new(PHASE_BUCKETS);
        Self(Family::new_with_constructor(of_a_phase))
    }
}

impl Metrics {
    /// Names them, for whoever writes out the registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("delivery");
        registry.register(
            "attempts",
            "Attempts at one recipient, by destination and by what was recorded of them",
            self.attempts.clone(),
        );
        registry.register(
            "reports",
            "Delivery status notifications to senders; suppressed: nobody is told",
            self.reports.clone(),
        );
        registry.register_with_unit(
            "delay",
            "From accepting a message until a recipient has it",
            Unit::Seconds,
            self.delay.clone(),
        );
        registry.register_with_unit(
            "phase",
            "Parts of SMTP conversations with other hosts, until the reply has come",
            Unit::Seconds,
            self.phases.0.clone(),
        );
    }

    /// Every series is there before its first event: an alert looks for what has grown, and one that begins
    /// at 1 has not.
    fn begin(&self) {
        for destination in [REMOTE, MAILDIR, MAILBOX] {
            for outcome in [DELIVERED, DEFERRED, POSTPONED, CRASHED, FAILED] {
                let _at_0 = self.attempts.get_or_create(&Attempted {
                    destination,
                    outcome,
                });
            }
            let _at_0 = self.delay.get_or_create(&Way { destination });
        }
        for kind in [FAILURE, DELAY, SUPPRESSED] {
            let _at_0 = self.reports.get_or_create(&Reported { kind });
        }
    }

    /// An attempt at one recipient was recorded.
    pub(crate) fn recorded(&self, due: &Due, outcome: &Outcome, now: Timestamp) {
        let outcome = match outcome {
            Outcome::Delivered(_) => return self.delivered(due, now),
            Outcome::Deferred(..) => DEFERRED,
            Outcome::Postponed(..) => POSTPONED,
            Outcome::Crashed(_) => CRASHED,
            Outcome::Failed(_) => FAILED,
        };
        self.attempted(due, outcome);
    }

    /// A recipient has it.
    pub(crate) fn delivered(&self, due: &Due, now: Timestamp) {
        self.attempted(due, DELIVERED);
        let took = now.since(due.accepted).as_secs_f64();
        let way = Way {
            destination: destination(due),
        };
        self.delay.get_or_create(&way).observe(took);
    }

    fn attempted(&self, due: &Due, outcome: &'static str) {
        let label = Attempted {
            destination: destination(due),
            outcome,
        };
        self.attempts.get_or_create(&label).inc();
    }

    /// A sender is told.
    pub(crate) fn reported(&self, kind: ReportKind) {
        let kind = match kind {
            ReportKind::Failure => FAILURE,
            ReportKind::Delay => DELAY,
        };
        self.reports.get_or_create(&Reported { kind }).inc();
    }

    /// Nobody is told of the failures of so many recipients.
    pub(crate) fn suppressed(&self, recipients: usize) {
        let label = Reported { kind: SUPPRESSED };
        self.reports.get_or_create(&label).inc_by(recipients as u64);
    }
}

impl Phases {
    pub(crate) fn connected(&self, began: Timestamp, now: Timestamp) {
        self.observe("connect", began, now);
    }

    /// What never had a reply is not counted: how long it would have taken nobody knows.
    pub(crate) fn said(&self, exchange: &Exchange) {
        if exchange.reply.is_some() {
            self.observe(phase(&exchange.command), exchange.began, exchange.ended);
        }
    }

    fn observe(&self, phase: &'static str, began: Timestamp, ended: Timestamp) {
        let took = ended.since(began).as_secs_f64();
        self.0.get_or_create(&Phase { phase }).observe(took);
    }
}

fn destination(due: &Due) -> &'static str {
    match (due.destination, &due.maildir) {
        (Destination::Remote, _) => REMOTE,
        (Destination::Account(_), Some(_)) => MAILDIR,
        (Destination::Account(_), None) => MAILBOX,
    }
}

/// A command line as a label, or what stands for it.
fn phase(command: &str) -> &'static str {
    const PHASES: [(&str, &str); 9] = [
        ("greeting", "greeting"),
        ("EHLO", "ehlo"),
        ("HELO", "helo"),
        ("MAIL", "mail"),
        ("RCPT", "rcpt"),
        ("DATA", "data"),
        ("final dot", "final_dot"),
        ("RSET", "rset"),
        ("QUIT", "quit"),
    ];
    let found = PHASES.iter().find(|(words, _)| command.starts_with(words));
    found.map_or("other", |(_, phase)| phase)
}

/// Seconds, up to the longest wait for a reply. A phase is timed in whole milliseconds.
const PHASE_BUCKETS: [f64; 13] = [
    0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 600.0,
];

const REMOTE: &str = "remote";
const MAILDIR: &str = "maildir";
const MAILBOX: &str = "mailbox";

const DELIVERED: &str = "delivered";
const DEFERRED: &str = "deferred";
const POSTPONED: &str = "postponed";
const CRASHED: &str = "crashed";
const FAILED: &str = "failed";

const FAILURE: &str = "failure";
const DELAY: &str = "delay";
const SUPPRESSED: &str = "suppressed";

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn series_are_there_before_their_first_event() {
        let mut registry = Registry::default();
        Metrics::default().register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for (name, series) in [
            ("attempts", 3 * 5),
            ("reports", 3),
            ("delay_seconds_count", 3),
        ] {
            let begins = format!("delivery_{name}");
            let at_0 = |line: &&str| line.starts_with(&begins) && line.ends_with("} 0");
            assert_eq!(text.lines().filter(at_0).count(), series, "{text}");
        }
    }

    #[test]
    fn commands_are_labels_without_what_a_peer_or_sender_chose() {
        for (command, label) in [
            ("greeting", "greeting"),
            ("EHLO", "ehlo"),
            ("MAIL FROM:<a@a.example>", "mail"),
            ("RCPT TO:<b@b.example>", "rcpt"),
            ("final dot", "final_dot"),
            ("final dot of nothing", "final_dot"),
            ("(unasked)", "other"),
        ] {
            assert_eq!(phase(command), label, "{command}");
        }
    }
}
