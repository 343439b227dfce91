//! From a next hop to a session with one of its hosts: addresses in order until one is ready.

use std::net::IpAddr;

use mailtypes::{EnhancedCode, Status};
use net::dns::Dns;
use net::{Dial, DialError};
use rand::Rng;
use store::Store;

use super::connection::{Connection, NoSession};
use super::endpoints::{self, Endpoint};
use super::judge;
use super::resolve::resolve;
use super::trail::Trail;
use crate::limits::CONNECT_TIMEOUT;
use crate::route::mx::Verdict;
use crate::route::next_hop::{HopHost, NextHop};
use crate::settings::Settings;
use crate::shared::Shared;
use crate::traces;

/// The addresses to try, in order, and how far one has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    endpoints: Vec<Endpoint>,
    next: usize,
    /// There are more than these: nobody's no is for good.
    incomplete: bool,
}

/// Why nobody takes the mail.
#[derive(Clone, Debug)]
pub(crate) struct Nobody {
    pub(crate) status: Status,
    pub(crate) whose: Whose,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of the hosts: the next hop as a whole should be left alone for a while.
    Theirs,
    /// The DNS says so, whose cache remembers it for as long as it should be.
    Dns,
    /// Of this machine.
    Ours,
    /// The mail is for ourselves now.
    Home,
    /// Others of us have all connections that a host may get.
    Crowded(IpAddr),
}

impl Plan {
    /// Whether there is another address to try.
    pub(crate) fn has_more(&self) -> bool {
        self.next < self.endpoints.len()
    }

    /// The preference of the host that was tried last: a higher one is of a lesser host.
    pub(crate) fn rank(&self) -> Option<u16> {
        let tried = self.endpoints[..self.next].last();
        tried.and_then(|endpoint| endpoint.preference)
    }
}

/// Finds the addresses of a next hop.
pub(crate) async fn plan<S, R: Dns, D>(
    shared: &Shared<S, R, D>,
    hop: &NextHop,
    rng: &mut impl Rng,
    trail: &mut Trail,
) -> Result<Plan, Nobody> {
    let settings = shared.settings.load_full();
    if is_home(hop, &settings) {
        let text = format!("{hop} is a domain of ours now");
        return Err(Nobody {
            status: Status::new(EnhancedCode::new(4, 3, 2), text),
            whose: Whose::Home,
        });
    }
    let own = settings.own.clone();
    let visit = shared.sites().visits(hop);
    match resolve(&shared.dns, &shared.clock, hop, &own, visit, rng, trail).await {
        Verdict::Try(hosts) => {
            let (endpoints, cut) = endpoints::choose(&hosts.list, hop.port, visit);
            Ok(Plan {
                endpoints,
                next: 0,
                incomplete: cut || hosts.incomplete,
            })
        }
        Verdict::Later(status) | Verdict::Never(status) => Err(Nobody {
            status,
            whose: Whose::Dns,
        }),
        Verdict::Ask(_) => unreachable!("resolve answers all questions"),
    }
}

/// Whether the domain that a next hop stands for has become ours.
pub(crate) fn is_home(hop: &NextHop, settings: &Settings) -> bool {
    matches!(&hop.host, HopHost::MxOf(domain) if settings.domains.contains(domain))
}

/// Opens a session with the first host from where the plan stands that will have one. Those behind a
/// host that is crowded by ourselves are not tried: it is the better one.
pub(crate) async fn reach<S: Store, R: Dns, D: Dial>(
    shared: &Shared<S, R, D>,
    hop: &NextHop,
    plan: &mut Plan,
    trail: &mut Trail,
) -> Result<Connection<D::Stream>, Nobody> {
    let mut worst: Option<Status> = None;
    let mut whose = Whose::Ours;
    let mut crowded = None;
    let settings = shared.settings.load_full();
    while let Some(endpoint) = plan.endpoints.get(plan.next) {
        if let Some((_, preference)) = crowded
            && preference != endpoint.preference
        {
            break;
        }
        plan.next += 1;
        trail.host(&endpoint.name, endpoint.address, endpoint.preference, false);
        let ip = endpoint.address.ip();
        let Some(permit) = shared.addresses.take(ip, hop) else {
            crowded.get_or_insert((ip, endpoint.preference));
            let status = too_many(endpoint, settings.limits.per_hop);
            trail.failed(status.text.clone());
            if is_kinder(&status, worst.as_ref()) {
                trail.blame_session(None);
                worst = Some(status);
            }
            continue;
        };
        let span = trail.traced.connect(&endpoint.name, endpoint.address);
        let until = shared.clock.now() + CONNECT_TIMEOUT;
        let opened = Connection::open(
            &shared.dial,
            &shared.clock,
            std::sync::Arc::clone(&settings.client),
            endpoint.for_people(),
            (endpoint.address, permit),
            until,
            trail,
        );
        let (status, refusal) = match opened.await {
            Ok(connection) => return Ok(connection),
            Err(NoSession::Refused(refusal)) => {
                whose = Whose::Theirs;
                let status = judge::session(&refusal, &endpoint.for_people());
                (status, Some(refusal))
            }
            Err(NoSession::Dial(error)) => {
                if !matches!(error, DialError::Local(_)) {
                    whose = Whose::Theirs;
                }
                (not_reached(endpoint, &error), None)
            }
        };
        traces::failed(&span, &status);
        trail.failed(status.text.clone());
        if is_kinder(&status, worst.as_ref()) {
            trail.blame_session(refusal.as_ref());
            worst = Some(status);
        }
    }
    let nothing = || Status::new(EnhancedCode::new(4, 4, 1), "no address left to try");
    let mut status = worst.unwrap_or_else(nothing);
    // That a host of the configuration takes no mail says nothing of where the mail is going.
    if plan.incomplete || !matches!(hop.host, HopHost::MxOf(_)) {
        status.code.class = 4;
    }
    Err(Nobody {
        status,
        whose: crowded.map_or(whose, |(ip, _)| Whose::Crowded(ip)),
    })
}

/// Whether a status takes the place of the last one: while one of the hosts might take the mail later,
/// it has not failed for good.
fn is_kinder(status: &Status, worst: Option<&Status>) -> bool {
    worst.is_none_or(|worst| worst.code.class >= status.code.class)
}

/// RFC 3463 §3.5: no answer from host; §3.4: other mail system status, which is ours
fn not_reached(endpoint: &Endpoint, error: &DialError) -> Status {
    let code = match error {
        DialError::Local(_) => EnhancedCode::new(4, 3, 0),
        _ => EnhancedCode::new(4, 4, 1),
    };
    Status::new(code, format!("{}: {error}", endpoint.for_people()))
}

/// RFC 3463 §3.5: mail system congestion
fn too_many(endpoint: &Endpoint, max: usize) -> Status {
    let host = endpoint.for_people();
    let text = format!("{host}: this server has {max} connections to it already");
    Status::new(EnhancedCode::new(4, 4, 5), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_yes_is_worth_more_than_a_no_for_good() {
        let status = |class| Status::new(EnhancedCode::new(class, 0, 0), "");
        for (new, known, takes_its_place) in [
            (5, None, true),
            (4, Some(5), true),
            (4, Some(4), true),
            (5, Some(5), true),
            (5, Some(4), false),
        ] {
            let known = known.map(status);
            assert_eq!(is_kinder(&status(new), known.as_ref()), takes_its_place);
        }
    }
}
