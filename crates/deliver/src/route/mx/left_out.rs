//! Why hosts that MX records name are not tried, for people.

use mailtypes::dns::{Exchange, MxRecord};

use super::*;
use crate::route::next_hop::SMTP_PORT;

/// Each exchanger that is passed over for good, its preference, and why. RFC 5321 §5.1
pub(crate) fn left_out(
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    rng: &mut impl Rng,
) -> Vec<(String, u16, String)> {
    let (HopHost::MxOf(domain) | HopHost::MxOfRoute(domain)) = &hop.host else {
        return Vec::new();
    };
    let question = Question {
        name: DnsName::from(domain),
        kind: Kind::Mx,
    };
    let Some(Ok(Answer {
        records: Records::Mx(records),
        ..
    })) = facts.get(&question)
    else {
        return Vec::new();
    };
    let found: Vec<_> = records
        .iter()
        .map(|record| (record, facts_of(record, facts, rng)))
        .collect();
    let is_own = |name: &DnsName, found: &Found| hop.port == SMTP_PORT && is_us(name, found, own);
    let own_preference = found
        .iter()
        .filter_map(|(record, found)| match (&record.exchange, found) {
            (Exchange::Host(name), Some(found)) => is_own(name, found).then_some(record.preference),
            _ => None,
        })
        .min();
    let mut all = Vec::new();
    for (record, found) in &found {
        let (name, why) = match (&record.exchange, found) {
            (Exchange::Host(name), Some(found)) => {
                let why = match (own_preference, found) {
                    _ if is_own(name, found) => Some("it is this server".to_owned()),
                    (Some(own), _) if record.preference >= own => {
                        Some(format!("equal to or worse than this server (MX {own})"))
                    }
                    _ if !found.addresses.is_empty() => None,
                    _ if !missing(name, facts).is_empty() => Some("not asked".to_owned()),
                    (_, Found { not_now, .. }) => {
                        let why = not_now.clone();
                        Some(why.unwrap_or_else(|| "it has no address".to_owned()))
                    }
                };
                (name.as_str().to_owned(), why)
            }
            (Exchange::Bad(name), _) => (name.clone(), Some("it is no host name".to_owned())),
            _ => (".".to_owned(), Some("it stands for no host".to_owned())),
        };
        all.extend(why.map(|why| (name, record.preference, why)));
    }
    all.sort_by_key(|(_, preference, _)| *preference);
    all
}

fn facts_of(record: &MxRecord, facts: &Facts, rng: &mut impl Rng) -> Option<Found> {
    match &record.exchange {
        Exchange::Host(name) => Some(addresses(name, facts, rng)),
        Exchange::Root | Exchange::Bad(_) => None,
    }
}
