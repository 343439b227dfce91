//! Which addresses of which hosts one visit tries.
//!
//! A visit is short, however many hosts and addresses the DNS names: RFC 5321 §5.1 lets a client
//! limit the addresses that it tries. The best hosts are in each visit; the others take turns from one
//! visit that reached nobody to the next, so that each of them has its own; among equals, whose order is
//! drawn anew for each visit, it comes by chance.

use std::net::SocketAddr;

use crate::limits::ADDRESSES_TRIED_MAX;
use crate::route::mx::Host;

/// One address of one host.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) preference: Option<u16>,
    pub(crate) address: SocketAddr,
}

impl Endpoint {
    /// The name and the address, unless they are the same.
    pub(crate) fn for_people(&self) -> String {
        if self.name.starts_with('[') {
            return self.address.to_string();
        }
        format!("{} [{}]", self.name, self.address.ip())
    }
}

/// The addresses to try in visit `visit`, the first of which is 0, in the order of the hosts; and
/// whether some were left out.
pub(crate) fn choose(hosts: &[Host], port: u16, visit: u32) -> (Vec<Endpoint>, bool) {
    let shares = shares(hosts, visit);
    let cut = hosts
        .iter()
        .zip(&shares)
        .any(|(host, share)| *share < host.addresses.len());
    let endpoints = hosts.iter().zip(&shares).flat_map(|(host, share)| {
        host.addresses.iter().take(*share).map(|ip| Endpoint {
            name: host.name.clone(),
            preference: host.preference,
            address: SocketAddr::new(*ip, port),
        })
    });
    (endpoints.collect(), cut)
}

/// How many addresses of each host.
fn shares(hosts: &[Host], visit: u32) -> Vec<usize> {
    let mut shares = vec![0; hosts.len()];
    let mut left = ADDRESSES_TRIED_MAX;
    let order = order(hosts, visit);
    for at in &order {
        let share = share(&hosts[*at]);
        if share > left {
            break;
        }
        shares[*at] = share;
        left -= share;
    }
    // What is left goes round among those that are tried.
    loop {
        let before = left;
        for at in &order {
            let host = &hosts[*at];
            if left > 0 && (1..host.addresses.len()).contains(&shares[*at]) {
                shares[*at] += 1;
                left -= 1;
            }
        }
        if left == before {
            return shares;
        }
    }
}

/// Who comes to its share first: the best ones, then the others from where the last visit stopped.
fn order(hosts: &[Host], visit: u32) -> Vec<usize> {
    let mut order: Vec<_> = (0..hosts.len()).collect();
    let all_fit = hosts.iter().map(share).sum::<usize>() <= ADDRESSES_TRIED_MAX;
    if !all_fit && let Some(others) = order.get_mut(ALWAYS_TRIED..).filter(|o| !o.is_empty()) {
        let gone_by = (visit as usize).wrapping_mul(IN_TURN) % others.len();
        others.rotate_left(gone_by);
    }
    order
}

/// What a host gets when it is tried: IPv6 and IPv4 stand in turn, so it is one of each.
fn share(host: &Host) -> usize {
    host.addresses.len().min(SHARE)
}

/// Addresses of one host that go before those of the next.
const SHARE: usize = 2;
/// Hosts that are tried in each visit.
const ALWAYS_TRIED: usize = 2;
/// Hosts beside them that each visit has room for.
const IN_TURN: usize = ADDRESSES_TRIED_MAX / SHARE - ALWAYS_TRIED;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Hosts with so many addresses each.
    fn hosts(lens: &[u8]) -> Vec<Host> {
        let host = |(n, len): (usize, &u8)| Host {
            name: format!("h{n}"),
            preference: None,
            addresses: (0..*len).map(|ip| [10, 0, 0, ip].into()).collect(),
        };
        lens.iter().enumerate().map(host).collect()
    }

    #[test]
    fn each_host_has_its_share() {
        for (lens, wanted) in [
            (&[1][..], &[1][..]),
            (&[12], &[10]),
            (&[12, 1], &[9, 1]),
            (&[12, 12, 12], &[4, 3, 3]),
            (&[1; 10], &[1; 10]),
            (&[2; 5], &[2; 5]),
            (&[1, 12, 1, 1], &[1, 7, 1, 1]),
            (&[2, 2, 2, 2, 2, 2], &[2, 2, 2, 2, 2, 0]),
            (&[], &[]),
        ] {
            assert_eq!(shares(&hosts(lens), 0), wanted, "{lens:?}");
        }
    }

    #[test]
    fn whoever_is_left_out_has_its_visit() {
        for lens in [
            &[1; 11][..],
            &[2; 6],
            &[2; 40],
            &[1; 100],
            &[12, 1, 2, 2, 2, 2],
        ] {
            let hosts = hosts(lens);
            let mut tried = BTreeSet::new();
            let visits = u32::try_from(lens.len().div_ceil(IN_TURN)).unwrap();
            for visit in 0..visits {
                let (endpoints, cut) = choose(&hosts, 25, visit);
                assert!(cut && endpoints.len() <= ADDRESSES_TRIED_MAX);
                let names: Vec<_> = endpoints.iter().map(|e| e.name.clone()).collect();
                assert!(names.contains(&"h0".to_owned()), "the best ones always");
                tried.extend(names);
            }
            assert_eq!(tried.len(), lens.len(), "{lens:?}");
        }
    }
}
