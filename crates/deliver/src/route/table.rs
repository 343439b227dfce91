//! The routes of the configuration.

use std::collections::BTreeMap;

use mailtypes::{AddressLiteral, Domain, Host};

use super::mx::Own;
use super::next_hop::NextHop;

/// Routes by domain, and where everything else goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    domains: BTreeMap<Domain, NextHop>,
    subdomains: BTreeMap<Domain, NextHop>,
    default: Option<NextHop>,
}

/// Which recipients a route is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `example.org`: exactly this domain.
    Domain(Domain),
    /// `.example.org`: every domain below it.
    Below(Domain),
    /// `*`: whatever no other route is for.
    Default,
}

impl Pattern {
    /// Takes `example.org`, `.example.org` or `*`.
    pub fn parse(text: &str) -> Result<Self, mailtypes::BadDomain> {
        match text.strip_prefix('.') {
            _ if text == "*" => Ok(Self::Default),
            Some(below) => Domain::parse(below).map(Self::Below),
            None => Domain::parse(text).map(Self::Domain),
        }
    }
}

/// The way of a recipient, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Where its mail is handed over; `None` for a host that nobody can find.
    pub hop: Option<NextHop>,
    /// What the way rests on, for people.
    pub reason: String,
}

impl Routes {
    /// Adds a route; one for the same pattern is replaced.
    pub fn add(&mut self, pattern: Pattern, hop: NextHop) {
        match pattern {
            Pattern::Domain(domain) => drop(self.domains.insert(domain, hop)),
            Pattern::Below(domain) => drop(self.subdomains.insert(domain, hop)),
            Pattern::Default => self.default = Some(hop),
        }
    }

    /// The way of mail for `host`: its own route, that of the nearest domain above it, the default
    /// route, and only then its MX records.
    ///
    /// An address literal of this very server leads nowhere: it would come back.
    pub fn way(&self, host: &Host, own: &Own) -> Way {
        let literal = match host {
            Host::Domain(domain) => return self.domain_way(domain),
            Host::Literal(literal) => literal,
        };
        if let Some(hop) = &self.default {
            return Way::of(hop, "default route".to_owned());
        }
        match literal {
            AddressLiteral::Ip(ip) if own.has(*ip) => Way {
                hop: None,
                reason: format!("{ip} is this server, which has no mailboxes under that name"),
            },
            AddressLiteral::Ip(ip) => Way::of(&NextHop::address(*ip), "address literal".to_owned()),
            AddressLiteral::General { .. } => Way {
                hop: None,
                reason: "an address literal of an unknown kind".to_owned(),
            },
        }
    }

    fn domain_way(&self, domain: &Domain) -> Way {
        if let Some(hop) = self.domains.get(domain) {
            return Way::of(hop, format!("route of {}", domain.as_str()));
        }
        for above in ancestors(domain) {
            if let Some(hop) = self.subdomains.get(&above) {
                return Way::of(hop, format!("route of .{}", above.as_str()));
            }
        }
        match &self.default {
            Some(hop) => Way::of(hop, "default route".to_owned()),
            None => Way::of(
                &NextHop::mx_of(domain.clone()),
                format!("MX records of {}", domain.as_str()),
            ),
        }
    }
}

impl Way {
    fn of(hop: &NextHop, reason: String) -> Self {
        Self {
            hop: Some(hop.clone()),
            reason,
        }
    }
}

/// The domains above a domain, nearest first.
fn ancestors(domain: &Domain) -> impl Iterator<Item = Domain> + '_ {
    let mut rest = domain.as_str();
    std::iter::from_fn(move || {
        let (_, above) = rest.split_once('.')?;
        rest = above;
        Some(above)
    })
    .filter_map(|above| Domain::parse(above).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(list: &[(&str, &str)]) -> Routes {
        let mut routes = Routes::default();
        for (pattern, hop) in list {
            routes.add(
                Pattern::parse(pattern).unwrap(),
                NextHop::parse(hop).unwrap(),
            );
        }
        routes
    }

    fn check(routes: &Routes, host: &str, expect: &str) {
        let own = Own {
            hostname: Domain::parse("mx.example.com").unwrap(),
            addresses: vec!["192.0.2.25".parse().unwrap()],
        };
        let way = routes.way(&Host::parse(host).unwrap(), &own);
        let hop = way
            .hop
            .map_or_else(|| "nowhere".to_owned(), |hop| hop.to_string());
        assert_eq!(format!("{hop}: {}", way.reason), expect, "{host}");
    }

    #[test]
    fn the_nearest_route_wins() {
        let some = routes(&[
            ("example.org", "[mx.example.net]:26"),
            (".example.org", "below.example.net"),
            (".deep.example.org", "[192.0.2.9]"),
        ]);
        check(
            &some,
            "example.org",
            "[mx.example.net]:26: route of example.org",
        );
        check(
            &some,
            "a.example.org",
            "below.example.net: route of .example.org",
        );
        check(
            &some,
            "a.deep.example.org",
            "[192.0.2.9]: route of .deep.example.org",
        );
        check(
            &some,
            "notexample.org",
            "notexample.org: MX records of notexample.org",
        );
        check(&some, "[192.0.2.1]", "[192.0.2.1]: address literal");
        for ours in ["[192.0.2.25]", "[127.0.0.1]", "[IPv6:::ffff:192.0.2.25]"] {
            let ip = ours.trim_matches(['[', ']']).trim_start_matches("IPv6:");
            let expect =
                format!("nowhere: {ip} is this server, which has no mailboxes under that name");
            check(&some, ours, &expect);
        }
        check(
            &some,
            "[x:y]",
            "nowhere: an address literal of an unknown kind",
        );
    }

    #[test]
    fn a_default_route_takes_the_rest() {
        let all = routes(&[
            ("*", "[relay.example.net]:587"),
            ("example.org", "[10.0.0.1]"),
        ]);
        check(&all, "example.org", "[10.0.0.1]: route of example.org");
        check(
            &all,
            "a.example.org",
            "[relay.example.net]:587: default route",
        );
        check(
            &all,
            "[192.0.2.1]",
            "[relay.example.net]:587: default route",
        );
    }
}
