//! The trail of an attempt: what was asked, what was answered, and how long it took.
//!
//! It is kept as JSON with the attempt; `trace` shows it. The names of the fields stay.

use std::net::{IpAddr, SocketAddr};

use mailtypes::dns::{Answer, DnsError, Question};
use mailtypes::{IpText, Mailbox, Timestamp};
use proto::smtp::client::{Exchange, RecipientAnswer, ServerReply, SessionRefusal, Stage};
use serde::{Deserialize, Serialize};

use crate::limits::{
    BLAMED_LEN_MAX, TRAIL_DNS_LEN_MAX, TRAIL_HOSTS_MAX, TRAIL_REPLY_LEN_MAX, TRAIL_SAID_LEN_MAX,
};
use crate::metrics::Phases;
use crate::traces::Attempt;

use super::job::Job;
use kept::Kept;

/// What one attempt went through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    /// Where it was to go, and why there.
    pub(crate) hop: String,
    pub(crate) reason: String,
    /// What the DNS said.
    dns: Vec<DnsLine>,
    /// The hosts that were tried, in order.
    hosts: Vec<HostLine>,
    /// When the attempt began.
    pub(crate) began: Option<Timestamp>,
    /// Whose word decided, when a server's did.
    pub(crate) blamed: Option<Blamed>,
    /// Lines that had no place any more.
    left_out: u64,
    /// Octets of the answers of the DNS, and of all else that goes for every recipient.
    dns_len: usize,
    said_len: usize,
    /// Where is counted how long things took.
    phases: Option<Phases>,
    /// The attempt as a part of traces.
    pub(crate) traced: Attempt,
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
    #[serde(skip)]
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

    /// The same, with times that count.
    pub(crate) fn counting(mut self, phases: &Phases) -> Self {
        self.phases = Some(phases.clone());
        self
    }

    /// From here on it is about that job, which shares what was gone through.
    pub(crate) fn go_on_with(&mut self, job: &Job) {
        self.reason.clone_from(&job.reason);
        if self.traced.is_of_another(job) {
            self.traced = Attempt::new(job, &self.hop);
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
        let line = DnsLine {
            question: question.to_string(),
            answer: match answer {
                Ok(answer) => shortened(answer.to_string(), TRAIL_REPLY_LEN_MAX),
                Err(error) => error.to_string(),
            },
            ms: millis(began, now),
        };
        let len = line.question.len() + line.answer.len() + LINE_LEN;
        if self.dns_len + len > TRAIL_DNS_LEN_MAX {
            self.left_out += 1;
            return;
        }
        self.dns_len += len;
        self.dns.push(line);
    }

    /// A host is tried next.
    pub(crate) fn host(
        &mut self,
        name: &str,
        address: SocketAddr,
        preference: Option<u16>,
        kept: bool,
    ) {
        if self.hosts.len() >= TRAIL_HOSTS_MAX {
            self.left_out += 1;
            return;
        }
        self.hosts.push(HostLine {
            name: name.to_owned(),
            address: written(address),
            preference,
            kept,
            connect_ms: None,
            failed: None,
            said: Vec::new(),
        });
    }

    /// The host tried last was reached.
    pub(crate) fn connected(&mut self, began: Timestamp, now: Timestamp) {
        if let Some(phases) = &self.phases {
            phases.connected(began, now);
        }
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

    /// What the host tried last said; `unkept` are replies that nobody has kept.
    pub(crate) fn said(&mut self, exchanges: Vec<Exchange>, unkept: u64) {
        self.left_out += unkept;
        if let Some(phases) = &self.phases {
            exchanges.iter().for_each(|exchange| phases.said(exchange));
        }
        let Some(host) = self.hosts.last_mut() else {
            return;
        };
        for exchange in exchanges {
            let reply = exchange.reply.map(|reply| reply.to_string());
            let line = SaidLine {
                to: shortened(exchange.command, TRAIL_REPLY_LEN_MAX),
                reply: reply.map(|reply| shortened(reply, TRAIL_REPLY_LEN_MAX)),
                ms: millis(exchange.began, exchange.ended),
            };
            // What is said of one recipient is kept with that one: it costs the others nothing.
            let len = match line.is_of_one() {
                true => 0,
                false => line.len(),
            };
            if self.said_len + len > TRAIL_SAID_LEN_MAX {
                self.left_out += 1;
            } else {
                self.said_len += len;
                host.said.push(line);
            }
        }
    }

    /// Notes whose word decides about the recipient that the trail is kept for next.
    pub(crate) fn blame(&mut self, answer: &RecipientAnswer) {
        match answer {
            RecipientAnswer::Refused { stage, reply } => self.blame_host(*stage, Some(reply)),
            RecipientAnswer::Lost { stage, .. } => self.blame_host(*stage, None),
            RecipientAnswer::Accepted(_) | RecipientAnswer::Impossible(_) => self.blamed = None,
        }
    }

    /// The same where a host would have no session, or nobody answered.
    pub(crate) fn blame_session(&mut self, refusal: Option<&SessionRefusal>) {
        match refusal {
            Some(SessionRefusal::Refused { stage, reply }) => self.blame_host(*stage, Some(reply)),
            Some(SessionRefusal::Lost { stage, .. }) => self.blame_host(*stage, None),
            None => self.blamed = None,
        }
    }

    fn blame_host(&mut self, stage: Stage, reply: Option<&ServerReply>) {
        let reply = reply.map_or_else(String::new, |reply| {
            shortened(reply.to_string(), BLAMED_LEN_MAX)
        });
        self.blamed = self.hosts.last().map(|host| {
            let ip = host.address.parse::<SocketAddr>().ok().map(|at| at.ip());
            Blamed {
                host: match ip {
                    Some(ip) if host.name.starts_with('[') => literal(ip),
                    _ => host.name.clone(),
                },
                ip,
                command: stage.as_str().to_owned(),
                reply,
            }
        });
    }

    /// The host that is being tried.
    pub(crate) fn tried(&self) -> &str {
        self.hosts.last().map_or("", |host| &host.name)
    }

    /// Questions to the DNS and their answers.
    pub(crate) fn dns_lines(&self) -> Vec<(String, String)> {
        let pair = |line: &DnsLine| (line.question.clone(), line.answer.clone());
        self.dns.iter().map(pair).collect()
    }

    /// As the store keeps it with one recipient: without what was said of others.
    pub(crate) fn write(&self, recipient: &Mailbox) -> String {
        let kept = Kept::of(self, recipient);
        serde_json::to_string(&kept).expect("text keys and plain values")
    }
}

impl SaidLine {
    fn is_of_one(&self) -> bool {
        self.to.starts_with("RCPT")
    }

    fn len(&self) -> usize {
        self.to.len() + self.reply.as_ref().map_or(0, String::len) + LINE_LEN
    }
}

/// A text of at most `max` octets, and how many more there were.
fn shortened(text: String, max: usize) -> String {
    if text.len() <= max {
        return text;
    }
    let end = text.floor_char_boundary(max);
    format!("{} [{} octets more]", &text[..end], text.len() - end)
}

/// RFC 5321 §4.1.3
fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

/// An address and its port: each message has one.
fn written(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => format!("{}:{}", IpText(address.ip()), v4.port()),
        SocketAddr::V6(v6) => v6.to_string(),
    }
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Octets of a line beside its texts, about.
const LINE_LEN: usize = 32;

mod kept;
#[cfg(test)]
mod tests;
