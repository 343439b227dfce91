//! How many connections there are to each address, whatever next hops they serve: a host that is the
//! mail exchanger of many domains is still one host.

//!
//! Who finds no place stands in a line and keeps no worker meanwhile; whoever leaves calls the next.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::route::next_hop::NextHop;

/// The connections that are open or about to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    lines: Mutex<Lines>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    /// Only of addresses that somebody uses or waits for.
    places: HashMap<IpAddr, Place>,
    called: Vec<(IpAddr, NextHop)>,
}

#[derive(Debug, Default)]
struct Place {
    taken: usize,
    line: VecDeque<NextHop>,
}

/// One connection; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    addresses: Addresses,
    ip: IpAddr,
}

impl Addresses {
    /// A connection to an address, of which there may be `max`; `None` when there are so many.
    pub(crate) fn take(&self, ip: IpAddr, max: usize) -> Option<Permit> {
        let mut lines = self.lines();
        let place = lines.places.entry(ip).or_default();
        if place.taken >= max {
            return None;
        }
        place.taken += 1;
        let addresses = self.clone();
        Some(Permit { addresses, ip })
    }

    /// A next hop that found no place waits to be called.
    pub(crate) fn queue_up(&self, ip: IpAddr, max: usize, hop: NextHop) {
        let mut lines = self.lines();
        let place = lines.places.entry(ip).or_default();
        place.line.push_back(hop);
        if place.taken < max {
            self.call(&mut lines, ip);
        }
    }

    /// It waits no longer.
    pub(crate) fn leave_line(&self, ip: IpAddr, hop: &NextHop) {
        let mut lines = self.lines();
        if let Some(place) = lines.places.get_mut(&ip) {
            place.line.retain(|waits| waits != hop);
        }
        lines.tidy(ip);
    }

    /// Whoever was called has no use for a place.
    pub(crate) fn pass_on(&self, ip: IpAddr) {
        self.call(&mut self.lines(), ip);
    }

    /// Who has been called.
    pub(crate) fn called(&self) -> Vec<(IpAddr, NextHop)> {
        std::mem::take(&mut self.lines().called)
    }

    /// Returns when somebody is called.
    pub(crate) async fn bell(&self) {
        self.0.bell.notified().await;
    }

    /// Whether others wait for a connection to an address: then none stands by.
    pub(crate) fn is_wanted(&self, ip: IpAddr) -> bool {
        let lines = self.lines();
        let place = lines.places.get(&ip);
        place.is_some_and(|place| !place.line.is_empty())
    }

    fn call(&self, lines: &mut Lines, ip: IpAddr) {
        let place = lines.places.get_mut(&ip);
        if let Some(hop) = place.and_then(|place| place.line.pop_front()) {
            lines.called.push((ip, hop));
            self.0.bell.notify_one();
        }
        lines.tidy(ip);
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn tidy(&mut self, ip: IpAddr) {
        let unused = |place: &Place| place.taken == 0 && place.line.is_empty();
        if self.places.get(&ip).is_some_and(unused) {
            self.places.remove(&ip);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut lines = self.addresses.lines();
        if let Some(place) = lines.places.get_mut(&self.ip) {
            place.taken -= 1;
        }
        self.addresses.call(&mut lines, self.ip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn hop(name: &str) -> NextHop {
        NextHop::mx_of(mailtypes::Domain::parse(name).unwrap())
    }

    #[tokio::test]
    async fn whoever_waits_is_called_when_another_leaves() {
        let addresses = Addresses::default();
        let first = addresses.take(HOST, 2).unwrap();
        let second = addresses.take(HOST, 2).unwrap();
        assert!(addresses.take(HOST, 2).is_none());
        assert!(addresses.take("192.0.2.2".parse().unwrap(), 2).is_some());
        for name in ["a.example", "b.example", "c.example", "d.example"] {
            addresses.queue_up(HOST, 2, hop(name));
        }
        assert!(addresses.is_wanted(HOST) && addresses.called().is_empty());
        drop(first);
        addresses.bell().await;
        assert_eq!(addresses.called(), [(HOST, hop("a.example"))]);
        addresses.leave_line(HOST, &hop("b.example"));
        drop(second);
        addresses.pass_on(HOST);
        let called = [(HOST, hop("c.example")), (HOST, hop("d.example"))];
        assert_eq!(addresses.called(), called);
        assert!(!addresses.is_wanted(HOST));
        // Who comes when there is a place again need not wait.
        addresses.queue_up(HOST, 2, hop("e.example"));
        assert_eq!(addresses.called(), [(HOST, hop("e.example"))]);
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let addresses = Addresses::default();
        drop(addresses.take(HOST, 1));
        addresses.queue_up(HOST, 1, hop("a.example"));
        assert!(addresses.lines().places.is_empty());
    }
}
