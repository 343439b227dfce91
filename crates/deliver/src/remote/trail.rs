//! The trail of an attempt: what was asked, what was answered, and how long it took.
//!
//! It is kept as JSON with the attempt; `trace` shows it. The names of the fields stay.

use std::net::{IpAddr, SocketAddr};

use mailtypes::Timestamp;
use mailtypes::dns::{Answer, DnsError, Question};
use proto::smtp::client::{Exchange, RecipientAnswer};
use serde::{Deserialize, Serialize};

use crate::limits::TRAIL_LINES_MAX;

/// What one attempt went through.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Trail {
    /// Where it was to go, and why there.
    pub(crate) hop: String,
    pub(crate) reason: String,
    /// What the DNS said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dns: Vec<DnsLine>,
    /// The hosts that were tried, in order.
    hosts: Vec<HostLine>,
    /// Whose word decided, when a server's did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) blamed: Option<Blamed>,
    /// Lines that had no place any more.
    #[serde(skip_serializing_if = "is_zero")]
    left_out: usize,
}

/// A server and the reply that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blamed {
    pub(crate) host: String,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) command: String,
    pub(crate) reply: String,
}

impl Blamed {
    /// Out of a trail as it was kept.
    pub(crate) fn read(trail: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kept {
            blamed: Option<Blamed>,
        }
        serde_json::from_str::<Kept>(trail).ok()?.blamed
    }
}

#[derive(Clone, Debug, Serialize)]
struct DnsLine {
    question: String,
    answer: String,
    ms: u64,
}

#[derive(Clone, Debug, Serialize)]
struct HostLine {
    name: String,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    preference: Option<u16>,
    /// The connection was there already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_ms: Option<u64>,
    /// Why it came to nothing, when no server said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<SaidLine>,
}

#[derive(Clone, Debug, Serialize)]
struct SaidLine {
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    ms: u64,
}

impl Trail {
    pub(crate) fn new(hop: String, reason: String) -> Self {
        Self {
            hop,
            reason,
            ..Self::default()
        }
    }

    /// The DNS was asked.
    pub(crate) fn asked(
        &mut self,
        question: &Question,
        answer: &Result<Answer, DnsError>,
        began: Timestamp,
        now: Timestamp,
    ) {
        if self.dns.len() >= TRAIL_LINES_MAX {
            self.left_out += 1;
            return;
        }
        self.dns.push(DnsLine {
            question: question.to_string(),
            answer: match answer {
                Ok(answer) => answer.to_string(),
                Err(error) => error.to_string(),
            },
            ms: millis(began, now),
        });
    }

    /// A host is tried next.
    pub(crate) fn host(
        &mut self,
        name: &str,
        address: SocketAddr,
        preference: Option<u16>,
        kept: bool,
    ) {
        if self.hosts.len() >= TRAIL_LINES_MAX {
            self.left_out += 1;
            return;
        }
        self.hosts.push(HostLine {
            name: name.to_owned(),
            address: address.to_string(),
            preference,
            kept,
            connect_ms: None,
            failed: None,
            said: Vec::new(),
        });
    }

    /// The host tried last was reached.
    pub(crate) fn connected(&mut self, began: Timestamp, now: Timestamp) {
        if let Some(host) = self.hosts.last_mut() {
            host.connect_ms = Some(millis(began, now));
        }
    }

    /// The host tried last came to nothing.
    pub(crate) fn failed(&mut self, why: String) {
        if let Some(host) = self.hosts.last_mut() {
            host.failed = Some(why);
        }
    }

    /// What the host tried last said.
    pub(crate) fn said(&mut self, exchanges: &[Exchange]) {
        let Some(host) = self.hosts.last_mut() else {
            return;
        };
        let room = TRAIL_LINES_MAX.saturating_sub(host.said.len());
        self.left_out += exchanges.len().saturating_sub(room);
        host.said
            .extend(exchanges.iter().take(room).map(|exchange| SaidLine {
                to: exchange.command.clone(),
                reply: exchange.reply.as_ref().map(ToString::to_string),
                ms: millis(exchange.began, exchange.ended),
            }));
    }

    /// Notes whose word decides about the recipient that the trail is kept for next.
    pub(crate) fn blame(&mut self, answer: &RecipientAnswer) {
        let (stage, reply) = match answer {
            RecipientAnswer::Refused { stage, reply } => (*stage, reply.to_string()),
            RecipientAnswer::Lost { stage, .. } => (*stage, String::new()),
            RecipientAnswer::Accepted(_) | RecipientAnswer::Impossible(_) => {
                self.blamed = None;
                return;
            }
        };
        self.blamed = self.hosts.last().map(|host| Blamed {
            host: host.name.clone(),
            ip: host.address.parse::<SocketAddr>().ok().map(|at| at.ip()),
            command: stage.as_str().to_owned(),
            reply,
        });
    }

    /// Questions to the DNS and their answers.
    pub(crate) fn dns_lines(&self) -> Vec<(String, String)> {
        let pair = |line: &DnsLine| (line.question.clone(), line.answer.clone());
        self.dns.iter().map(pair).collect()
    }

    /// As the store keeps it.
    pub(crate) fn write(&self) -> String {
        serde_json::to_string(self).expect("text keys and plain values")
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}
