//! From a next hop to the hosts to try, by the answers of the DNS. RFC 5321 §5.1
//!
//! [`decide`] is pure: it works on the answers known so far and returns a verdict, or the questions
//! whose answers it needs next.
//!
//! Where the configuration names the hop, no answer fails mail: a name that is mistyped or has lapsed
//! there is our own fault, and the sender's address is as good as it was.

use std::collections::HashMap;
use std::net::IpAddr;

use mailtypes::dns::{Answer, DnsError, DnsName, Kind, Question, Records};
use mailtypes::{Domain, EnhancedCode, Status};
use rand::Rng;
use rand::seq::SliceRandom;

pub(crate) use left_out::left_out;

use super::next_hop::{HopHost, NextHop};

/// The answers so far.
pub(crate) type Facts = HashMap<Question, Result<Answer, DnsError>>;

/// How we know ourselves among mail exchangers.
#[derive(Clone, Debug)]
pub struct Own {
    /// Our name.
    pub hostname: Domain,
    /// Our addresses. Loopback and the unspecified address are ours in any case.
    pub addresses: Vec<IpAddr>,
}

/// What is decided, or must be known before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask these and decide again.
    Ask(Vec<Question>),
    /// Try these hosts.
    Try(Hosts),
    /// Not now.
    Later(Status),
    /// Never.
    Never(Status),
}

/// The hosts to try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// In this order: never empty.
    pub(crate) list: Vec<Host>,
    /// There may be more: some could not be looked up now, or were not asked about.
    pub(crate) incomplete: bool,
}

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its name, or its address in brackets.
    pub(crate) name: String,
    /// Of its MX record.
    pub(crate) preference: Option<u16>,
    /// Where it can be reached, in the order to try: never empty.
    pub(crate) addresses: Vec<IpAddr>,
}

/// Decides which hosts to try for `hop` when nobody was reached in so many visits before. Hosts of equal
/// preference come in an order of chance; whoever asks again with more answers must bring the same
/// chance, or other hosts may be asked about.
pub(crate) fn decide(
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    visit: u32,
    rng: &mut impl Rng,
) -> Verdict {
    match &hop.host {
        HopHost::Address(ip) => {
            let found = Found {
                addresses: vec![*ip],
                not_now: None,
            };
            Verdict::Try(only(hop.to_string(), found))
        }
        HopHost::Host(name) => configured(name, facts, rng),
        HopHost::MxOf(domain) => by_mx(domain, hop, own, facts, visit, rng),
        HopHost::MxOfRoute(domain) => match by_mx(domain, hop, own, facts, visit, rng) {
            Verdict::Never(status) => later(format!(
                "the configured route by {hop} leads nowhere: {}",
                status.text
            )),
            verdict => verdict,
        },
    }
}

fn by_mx(
    domain: &Domain,
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    visit: u32,
    rng: &mut impl Rng,
) -> Verdict {
    let question = Question {
        name: DnsName::from(domain),
        kind: Kind::Mx,
    };
    match facts.get(&question) {
        None => Verdict::Ask(vec![question]),
        Some(Err(error)) => unanswered(domain, error),
        Some(Ok(answer)) => exchangers::decide(domain, answer, hop, own, facts, visit, rng),
    }
}

/// A host that the configuration names. That it cannot be found is our own fault: never 5yz.
fn configured(name: &Domain, facts: &Facts, rng: &mut impl Rng) -> Verdict {
    let dns_name = DnsName::from(name);
    let missing = missing(&dns_name, facts);
    if !missing.is_empty() {
        return Verdict::Ask(missing);
    }
    let found = addresses(&dns_name, facts, rng);
    match &found.not_now {
        _ if !found.addresses.is_empty() => Verdict::Try(only(name.as_str().to_owned(), found)),
        Some(why) => later(format!("cannot find {}: {why}", name.as_str())),
        None => later(format!(
            "the host {} of a configured route has no address",
            name.as_str()
        )),
    }
}

fn only(name: String, found: Found) -> Hosts {
    Hosts {
        list: vec![Host {
            name,
            preference: None,
            addresses: found.addresses,
        }],
        incomplete: found.not_now.is_some(),
    }
}

fn unanswered(domain: &Domain, error: &DnsError) -> Verdict {
    let domain = domain.as_str();
    if error.is_temporary() {
        return later(format!(
            "cannot look up the MX records of {domain}: {error}"
        ));
    }
    // RFC 3463 §3.2: bad destination system address
    Verdict::Never(Status::new(
        EnhancedCode::new(5, 1, 2),
        format!("the domain {domain} does not exist"),
    ))
}

fn is_us(name: &DnsName, found: &Found, own: &Own) -> bool {
    name.as_str() == own.hostname.as_str() || found.addresses.iter().any(|ip| own.has(*ip))
}

impl Own {
    /// Whether an address is one of ours.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified() || self.addresses.contains(&ip)
    }
}

/// The addresses of a host as far as they are known.
struct Found {
    addresses: Vec<IpAddr>,
    /// Why there may be more.
    not_now: Option<String>,
}

/// What the answers say about the addresses of a host: IPv6 and IPv4 in turn, each kind in an order of
/// chance, so that the last of many is tried some time. RFC 5321 §5.1
fn addresses(name: &DnsName, facts: &Facts, rng: &mut impl Rng) -> Found {
    let mut not_now = None;
    let (mut six, mut four) = (Vec::new(), Vec::new());
    for question in questions(name) {
        match facts.get(&question) {
            Some(Ok(answer)) => match &answer.records {
                Records::Aaaa(list) => six.extend(list.iter().copied().map(IpAddr::V6)),
                Records::A(list) => four.extend(list.iter().copied().map(IpAddr::V4)),
                Records::Mx(_) | Records::Txt(_) | Records::Ptr(_) => {}
            },
            Some(Err(error)) if error.is_temporary() => not_now = Some(error.to_string()),
            Some(Err(_)) | None => {}
        }
    }
    six.shuffle(rng);
    four.shuffle(rng);
    let mut in_turn = Vec::with_capacity(six.len() + four.len());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let pair = (six.next(), four.next());
        in_turn.extend([pair.0, pair.1].into_iter().flatten());
        if pair == (None, None) {
            break;
        }
    }
    Found {
        addresses: in_turn,
        not_now,
    }
}

fn missing(name: &DnsName, facts: &Facts) -> Vec<Question> {
    questions(name)
        .into_iter()
        .filter(|question| !facts.contains_key(question))
        .collect()
}

fn questions(name: &DnsName) -> [Question; 2] {
    [Kind::Aaaa, Kind::A].map(|kind| Question {
        name: name.clone(),
        kind,
    })
}

/// RFC 3463 §3.5: directory server failure
fn later(text: String) -> Verdict {
    Verdict::Later(Status::new(EnhancedCode::new(4, 4, 3), text))
}

/// RFC 3463 §3.5: unable to route
fn no_route(text: String) -> Verdict {
    Verdict::Never(Status::new(EnhancedCode::new(5, 4, 4), text))
}

mod exchangers;
mod left_out;
#[cfg(test)]
mod tests;
