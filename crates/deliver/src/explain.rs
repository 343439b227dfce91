//! The dry run of a route: what would be tried for an address, and why.

use mailtypes::{Host, Mailbox};
use net::Clock;
use net::dns::Dns;
use rand::Rng;

use crate::remote::resolve::gather;
use crate::remote::trail::Trail;
use crate::route::mx::{Verdict, left_out};
use crate::settings::Settings;

/// What would be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The next hop, and what it rests on.
    pub hop: String,
    /// Why there.
    pub reason: String,
    /// What the DNS was asked and answered.
    pub dns: Vec<(String, String)>,
    /// The hosts in the order in which they would be tried: name, preference, address and port.
    pub hosts: Vec<(String, Option<u16>, String)>,
    /// Mail exchangers that are passed over: name, preference, and why.
    pub left_out: Vec<(String, u16, String)>,
    /// Why there is none: the status that mail would get.
    pub status: Option<String>,
}

/// Finds the way of mail for an address without sending anything. Mail for our own domains goes
/// nowhere: `domains` knows.
pub async fn explain_route<R: Dns>(
    dns: &R,
    clock: &Clock,
    settings: &Settings,
    address: &Mailbox,
    rng: &mut impl Rng,
) -> Explained {
    if let Host::Domain(domain) = &address.host
        && settings.domains.contains(domain)
    {
        return Explained {
            hop: "this server".to_owned(),
            reason: format!("{} is a domain of ours", domain.as_str()),
            dns: Vec::new(),
            hosts: Vec::new(),
            left_out: Vec::new(),
            status: None,
        };
    }
    let way = settings.routes.way(&address.host, &settings.own);
    let Some(hop) = way.hop else {
        return Explained {
            hop: "nowhere".to_owned(),
            reason: way.reason.clone(),
            dns: Vec::new(),
            hosts: Vec::new(),
            left_out: Vec::new(),
            status: Some(format!("5.1.2 {}", way.reason)),
        };
    };
    let mut trail = Trail::new(hop.to_string(), way.reason.clone());
    let (verdict, facts) = gather(dns, clock, &hop, &settings.own, 0, rng, &mut trail).await;
    let mut explained = Explained {
        hop: hop.to_string(),
        reason: way.reason,
        dns: trail.dns_lines(),
        hosts: Vec::new(),
        left_out: left_out(&hop, &settings.own, &facts, rng),
        status: None,
    };
    match verdict {
        Verdict::Try(hosts) => {
            for host in hosts.list {
                for ip in host.addresses {
                    let address = std::net::SocketAddr::new(ip, hop.port).to_string();
                    explained
                        .hosts
                        .push((host.name.clone(), host.preference, address));
                }
            }
        }
        Verdict::Later(status) | Verdict::Never(status) => {
            explained.status = Some(status.to_string());
        }
        Verdict::Ask(_) => {}
    }
    explained
}
