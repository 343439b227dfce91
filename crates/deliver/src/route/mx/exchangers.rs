//! From the MX records of a domain to its hosts. RFC 5321 §5.1
//!
//! The hosts are asked about from the best one on, some at a time, and only as far as needed: further
//! when none of them has an address, and further with each visit that reached nobody.

use std::collections::HashSet;

use mailtypes::dns::{Exchange, MxRecord};

use super::*;
use crate::limits::{MX_ASKED_MAX, MX_HOSTS_MAX};
use crate::route::next_hop::SMTP_PORT;

pub(super) fn decide(
    domain: &Domain,
    answer: &Answer,
    hop: &NextHop,
    own: &Own,
    facts: &Facts,
    visit: u32,
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
    let all = in_order(domain, records, rng);
    if all.is_empty() {
        return no_route(format!("no MX of {} names a host", domain.as_str()));
    }
    let max = all.len().min(MX_ASKED_MAX);
    let mut len = MX_HOSTS_MAX.saturating_mul(visit as usize + 1).min(max);
    loop {
        for some in all[..len].chunks(MX_HOSTS_MAX) {
            let missing: Vec<_> = some
                .iter()
                .flat_map(|(_, name)| missing(name, facts))
                .collect();
            if !missing.is_empty() {
                return Verdict::Ask(missing);
            }
        }
        let known = Known::of(&all[..len], all.len(), hop, own, facts, rng);
        if !known.is_nothing() || len == max {
            return known.verdict(domain);
        }
        len = (len + MX_HOSTS_MAX).min(max);
    }
}

/// The hosts that the records name, each once, in the order to try. RFC 5321 §5.1: an empty answer
/// means the domain itself.
fn in_order(domain: &Domain, records: &[MxRecord], rng: &mut impl Rng) -> Vec<(u16, DnsName)> {
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
    // Chance before any cut: among many equals each one gets its share.
    hosts.shuffle(rng);
    hosts.sort_by_key(|(preference, _)| *preference);
    hosts
}

/// What the answers say about the best exchangers.
struct Known {
    /// Those that are better than ourselves and have an address.
    hosts: Vec<Host>,
    /// Why one of those that are better than ourselves could not be looked up.
    not_now: Option<String>,
    /// We are among them.
    ourselves: bool,
    asked: usize,
    /// There are more, perhaps better than ourselves.
    more: bool,
}

impl Known {
    // An exchanger that cannot be looked up now keeps nobody from the others (RFC 5321 §5.1), also
    // when it might be this server under another name.
    fn of(
        asked: &[(u16, DnsName)],
        all: usize,
        hop: &NextHop,
        own: &Own,
        facts: &Facts,
        rng: &mut impl Rng,
    ) -> Self {
        let found: Vec<_> = asked
            .iter()
            .map(|(preference, name)| (*preference, name, addresses(name, facts, rng)))
            .collect();
        // RFC 5321 §5.1: never to one that is no better than ourselves.
        let ourselves = found
            .iter()
            .find(|(_, name, found)| hop.port == SMTP_PORT && is_us(name, found, own))
            .map(|(preference, ..)| *preference);
        let mut known = Self {
            hosts: Vec::new(),
            not_now: None,
            ourselves: ourselves.is_some(),
            asked: asked.len(),
            more: ourselves.is_none() && asked.len() < all,
        };
        for (preference, name, found) in found {
            if ourselves.is_some_and(|own| preference >= own) {
                break;
            }
            if let Some(why) = found.not_now {
                known.not_now = Some(format!("cannot find {}: {why}", name.as_str()));
            }
            if !found.addresses.is_empty() {
                known.hosts.push(Host {
                    name: name.as_str().to_owned(),
                    preference: Some(preference),
                    addresses: found.addresses,
                });
            }
        }
        known
    }

    /// Whether others must be asked about.
    fn is_nothing(&self) -> bool {
        self.hosts.is_empty() && self.more
    }

    fn verdict(self, domain: &Domain) -> Verdict {
        let domain = domain.as_str();
        if !self.hosts.is_empty() {
            return Verdict::Try(Hosts {
                list: self.hosts,
                incomplete: self.more || self.not_now.is_some(),
            });
        }
        match self.not_now {
            Some(why) => later(why),
            // RFC 3463 §3.5: unable to route, as far as we have looked
            None if self.more => Verdict::Later(Status::new(
                EnhancedCode::new(4, 4, 4),
                format!(
                    "none of the first {} mail exchangers of {domain} has an address",
                    self.asked
                ),
            )),
            None if self.ourselves => Verdict::Never(Status::new(
                EnhancedCode::new(5, 4, 6),
                format!(
                    "the MX records of {domain} lead back to this server, which is not its home"
                ),
            )),
            None => no_route(format!("no mail exchanger of {domain} has an address")),
        }
    }
}
