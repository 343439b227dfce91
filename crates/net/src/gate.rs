//! Counts connections, so that no peer takes all of them. RFC 5321 §4.5.4.2

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many connections may be open at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all.
    pub total: usize,
    /// From one IPv4 address or one IPv6 network of 64 bits.
    pub per_address: usize,
}

/// Lets connections in up to the limits. Clones share their counts.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<Counts>>);

impl Gate {
    /// A gate that nobody has passed yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Counts {
            limits,
            total: 0,
            by_origin: HashMap::new(),
        })))
    }

    /// Asks for a way in. The pass counts until it is dropped.
    pub fn enter(&self, peer: IpAddr) -> Result<Pass, Full> {
        let origin = origin(peer);
        self.lock().enter(origin)?;
        Ok(Pass {
            gate: self.clone(),
            origin,
        })
    }

    /// Other limits from now on; who is in stays in.
    pub fn set_limits(&self, limits: Limits) {
        self.lock().limits = limits;
    }

    /// How many are in.
    pub fn total(&self) -> usize {
        self.lock().total
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Each change is complete before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave to be here; dropping it makes room for another.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    origin: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.lock().leave(self.origin);
    }
}

/// Which limit is reached. Both are worth a 421 and a later try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// All connections together.
    #[error("the server has {0} connections, which is its limit")]
    Total(usize),
    /// Those of this peer.
    #[error("this address or network has {0} connections, which is the limit for one")]
    Address(usize),
}

#[derive(Debug)]
struct Counts {
    limits: Limits,
    total: usize,
    /// Has no zeros: never more entries than connections.
    by_origin: HashMap<IpAddr, usize>,
}

impl Counts {
    fn enter(&mut self, origin: IpAddr) -> Result<(), Full> {
        if self.total >= self.limits.total {
            return Err(Full::Total(self.limits.total));
        }
        let here = self.by_origin.get(&origin).copied().unwrap_or(0);
        if here >= self.limits.per_address {
            return Err(Full::Address(self.limits.per_address));
        }
        self.by_origin.insert(origin, here + 1);
        self.total += 1;
        Ok(())
    }

    fn leave(&mut self, origin: IpAddr) {
        self.total = self.total.saturating_sub(1);
        if let Some(here) = self.by_origin.get_mut(&origin) {
            *here -= 1;
            if *here == 0 {
                self.by_origin.remove(&origin);
            }
        }
    }
}

/// What counts as one peer: whoever has an IPv6 address has all 2^64 of its network.
fn origin(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & NETWORK_MASK)),
    }
}

/// The first 64 bits.
const NETWORK_MASK: u128 = !0 << 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn gate(total: usize, per_address: usize) -> Gate {
        Gate::new(Limits { total, per_address })
    }

    #[test]
    fn each_address_has_its_share() {
        let gate = gate(10, 2);
        let first = gate.enter(ip("192.0.2.1")).unwrap();
        let _second = gate.enter(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(gate.enter(ip("192.0.2.1")).unwrap_err(), Full::Address(2));
        let _other = gate.enter(ip("192.0.2.2")).unwrap();
        drop(first);
        let _third = gate.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(gate.total(), 3);
    }

    #[test]
    fn ipv6_counts_by_network() {
        let gate = gate(10, 1);
        let _one = gate.enter(ip("2001:db8:0:1::1")).unwrap();
        assert!(gate.enter(ip("2001:db8:0:1:ffff::2")).is_err());
        let _two = gate.enter(ip("2001:db8:0:2::1")).unwrap();
    }

    #[test]
    fn the_total_is_limited_and_can_change() {
        let gate = gate(1, 1);
        let one = gate.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(gate.enter(ip("192.0.2.2")).unwrap_err(), Full::Total(1));
        gate.set_limits(Limits {
            total: 2,
            per_address: 0,
        });
        assert_eq!(gate.enter(ip("192.0.2.2")).unwrap_err(), Full::Address(0));
        drop(one);
        assert_eq!(gate.total(), 0);
    }

    #[test]
    fn nothing_is_left_when_all_have_gone() {
        let gate = gate(10_000, 100);
        std::thread::scope(|scope| {
            for n in 0..4u32 {
                let gate = gate.clone();
                scope.spawn(move || {
                    for low in 0..1000u32 {
                        let peer = std::net::Ipv4Addr::from_bits(n * 500 + low);
                        drop(gate.enter(peer.into()).unwrap());
                    }
                });
            }
        });
        let counts = gate.lock();
        assert!(counts.total == 0 && counts.by_origin.is_empty());
    }
}
