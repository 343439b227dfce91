//! From a next hop to the hosts to try, by the answers of the DNS. RFC 5321 §5.1
//!
//! [`decide`] is pure: it works on the answers known so far and returns a verdict, or the questions
//! whose answers it needs next.
//!
//! Where the configuration names the hop, no answer fails mail: a name that is mistyped or has lapsed
//! there is our own fault, and the sender's address is as good as it was.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use mailtypes::dns::{Answer, DnsError, DnsName, Exchange, Kind, MxRecord, Question, Records};
use mailtypes::{Domain, EnhancedCode, Status};
use rand::Rng;
use rand::seq::SliceRandom;

pub(crate) use left_out::left_out;

use super::next_hop::{HopHost, NextHop, SMTP_PORT};
use crate::limits::MX_HOSTS_MAX;

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
    /// Try these hosts in this order: never empty.
    Try(Vec<Host>),
    /// Not now.
    Later(Status),
    /// Never.
    Never(Status),
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

/// Decides which hosts to try for `hop`. Hosts of equal preference come in an order of chance; whoever
/// asks again with more answers must bring the same chance, or other hosts may be asked about.
pub(crate) fn decide(hop: &NextHop, own: &Own, facts: &Facts, rng: &mut impl Rng) -> Verdict {
    match &hop.host {
        HopHost::Address(ip) => Verdict::Try(vec![Host {
            name: hop.to_string(),
            preference: None,
            addresses: vec![*ip],
        }]),
        HopHost::Host(name) => configured(name, facts, rng),
        HopHost::MxOf(domain) => by_mx(domain, hop, own, facts, rng),
        HopHost::MxOfRoute(domain) => match by_mx(domain, hop, own, facts, rng) {
            Verdict::Never(status) => later(format!(
                "the configured route by {hop} leads nowhere: {}",
                status.text
            )),
            verdict => verdict,
        },
    }
}

fn by_mx(domain: &Domain, hop: &NextHop, own: &Own, facts: &Facts, rng: &mut impl Rng) -> Verdict {
    let question = Question {
        name: DnsName::from(domain),
        kind: Kind::Mx,
    };
    match facts.get(&question) {
        None => Verdict::Ask(vec![question]),
        Some(Err(error)) => unanswered(domain, error),
        Some(Ok(answer)) => by_records(domain, answer, hop, own, facts, rng),
    }
}

/// A host that the configuration names. That it cannot be found is our own fault: never 5yz.
fn configured(name: &Domain, facts: &Facts, rng: &mut impl Rng) -> Verdict {
    let dns_name = DnsName::from(name);
    let missing = missing(&dns_name, facts);
    if !missing.is_empty() {
        return Verdict::Ask(missing);
    }
    match addresses(&dns_name, facts, rng) {
        Found::Some(addresses) => Verdict::Try(vec![Host {
            name: name.as_str().to_owned(),
            preference: None,
            addresses,
        }]),
        Found::None => later(format!(
            "the host {} of a configured route has no address",
            name.as_str()
        )),
        Found::NotNow(why) => later(format!("cannot find {}: {why}", name.as_str())),
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

fn by_records(
    domain: &Domain,
    answer: &Answer,
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    rng: &mut impl Rng,
) -> Verdict {
    let Records::Mx(records) = &answer.records else {
        return later(format!(
            "a wrong answer about the MX of {}",
            domain.as_str()
        ));
    };
    // RFC 7505 §3
    if let [only] = records.as_slice()
        && only.exchange == Exchange::Root
    {
        return Verdict::Never(Status::new(
            EnhancedCode::new(5, 1, 10), // RFC 7505 §4.2
            format!("the domain {} takes no mail (null MX)", domain.as_str()),
        ));
    }
    let exchangers = exchangers(domain, records, rng);
    if exchangers.is_empty() {
        return no_route(format!("no MX of {} names a host", domain.as_str()));
    }
    let questions: Vec<_> = exchangers
        .iter()
        .flat_map(|(_, name)| missing(name, facts))
        .collect();
    if !questions.is_empty() {
        return Verdict::Ask(questions);
    }
    choose(domain, &exchangers, hop, own, facts, rng)
}

/// The hosts that the records name, each once, in the order to try. RFC 5321 §5.1: an empty answer
/// means the domain itself.
fn exchangers(domain: &Domain, records: &[MxRecord], rng: &mut impl Rng) -> Vec<(u16, DnsName)> {
    if records.is_empty() {
        return vec![(0, DnsName::from(domain))];
    }
    let mut hosts: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.exchange {
            Exchange::Host(name) => Some((record.preference, name.clone())),
            // RFC 7505 §3: a null MX beside others says nothing.
            Exchange::Root | Exchange::Bad(_) => None,
        })
        .collect();
    hosts.sort();
    // The best preference of each counts.
    let mut seen = HashSet::new();
    hosts.retain(|(_, name)| seen.insert(name.clone()));
    // Chance before the cut: among many equals each one gets its share.
    hosts.shuffle(rng);
    hosts.sort_by_key(|(preference, _)| *preference);
    hosts.truncate(MX_HOSTS_MAX);
    hosts
}

fn choose(
    domain: &Domain,
    exchangers: &[(u16, DnsName)],
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    rng: &mut impl Rng,
) -> Verdict {
    let mut hosts = Vec::new();
    let mut not_now = None;
    let mut ourselves = None;
    for (preference, name) in exchangers {
        let found = addresses(name, facts, rng);
        if hop.port == SMTP_PORT && is_us(name, &found, own) {
            ourselves = Some(*preference);
            break;
        }
        match found {
            Found::Some(addresses) => hosts.push(Host {
                name: name.as_str().to_owned(),
                preference: Some(*preference),
                addresses,
            }),
            Found::None => {}
            Found::NotNow(why) => not_now = Some(format!("cannot find {}: {why}", name.as_str())),
        }
    }
    // RFC 5321 §5.1: never to one that is no better than ourselves.
    if let Some(own_preference) = ourselves {
        hosts.retain(|host| host.preference < Some(own_preference));
    }
    let domain = domain.as_str();
    match (hosts.is_empty(), not_now, ourselves) {
        (false, ..) => Verdict::Try(hosts),
        (true, Some(why), _) => later(why),
        (true, None, Some(_)) => Verdict::Never(Status::new(
            EnhancedCode::new(5, 4, 6),
            format!("the MX records of {domain} lead back to this server, which is not its home"),
        )),
        (true, None, None) => no_route(format!("no mail exchanger of {domain} has an address")),
    }
}

fn is_us(name: &DnsName, found: &Found, own: &Own) -> bool {
    name.as_str() == own.hostname.as_str()
        || matches!(found, Found::Some(addresses) if addresses.iter().any(|ip| own.has(*ip)))
}

impl Own {
    /// Whether an address is one of ours.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || ip.is_unspecified() || self.addresses.contains(&ip)
    }
}

enum Found {
    Some(Vec<IpAddr>),
    None,
    NotNow(String),
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
    match (in_turn.is_empty(), not_now) {
        (false, _) => Found::Some(in_turn),
        (true, Some(why)) => Found::NotNow(why),
        (true, None) => Found::None,
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

mod left_out;
#[cfg(test)]
mod tests;
