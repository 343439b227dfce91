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
#[derive(Clone, Debug)]
pub(crate) struct Addresses(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    lines: Mutex<Lines>,
    bell: Notify,
}

#[derive(Debug)]
struct Lines {
    /// Connections that there may be to each address.
    max: usize,
    /// Only of addresses that somebody uses or waits for.
    places: HashMap<IpAddr, Place>,
    /// Who has been called and not been told so.
    called: Vec<(IpAddr, NextHop)>,
}

#[derive(Debug, Default)]
struct Place {
    taken: usize,
    /// Places for those that were called.
    kept_for: Vec<NextHop>,
    line: VecDeque<NextHop>,
}

/// One connection; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    addresses: Addresses,
    ip: IpAddr,
}

impl Addresses {
    /// There may be `max` connections to each address.
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Inside {
            lines: Mutex::new(Lines {
                max,
                places: HashMap::new(),
                called: Vec::new(),
            }),
            bell: Notify::new(),
        }))
    }

    /// A connection of a next hop to an address; `None` when there are as many as there may be, or
    /// the next ones are kept for others.
    pub(crate) fn take(&self, ip: IpAddr, hop: &NextHop) -> Option<Permit> {
        let mut lines = self.lines();
        let max = lines.max;
        let place = lines.places.entry(ip).or_default();
        place.kept_for.retain(|called| called != hop);
        if place.is_full(max) {
            return None;
        }
        place.taken += 1;
        let addresses = self.clone();
        Some(Permit { addresses, ip })
    }

    /// There may be so many to each address from now on.
    pub(crate) fn set_max(&self, max: usize) {
        let mut lines = self.lines();
        if std::mem::replace(&mut lines.max, max) == max {
            return;
        }
        let ips: Vec<_> = lines.places.keys().copied().collect();
        for ip in ips {
            self.call(&mut lines, ip);
        }
    }

    /// A next hop that found no place waits to be called.
    pub(crate) fn queue_up(&self, ip: IpAddr, hop: NextHop) {
        let mut lines = self.lines();
        lines.places.entry(ip).or_default().line.push_back(hop);
        self.call(&mut lines, ip);
    }

    /// A next hop does not wait any longer, or was called and has come or will not.
    pub(crate) fn leave_line(&self, ip: IpAddr, hop: &NextHop) {
        let mut lines = self.lines();
        if let Some(place) = lines.places.get_mut(&ip) {
            place.line.retain(|waits| waits != hop);
            place.kept_for.retain(|called| called != hop);
        }
        self.call(&mut lines, ip);
    }

    /// Who has been called since the last time. A place is kept for each until it comes, or
    /// [`Addresses::leave_line`] says that it will not.
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

    /// Calls as many as there are places for.
    fn call(&self, lines: &mut Lines, ip: IpAddr) {
        let Lines {
            max,
            places,
            called,
        } = lines;
        let Some(place) = places.get_mut(&ip) else {
            return;
        };
        while !place.is_full(*max)
            && let Some(hop) = place.line.pop_front()
        {
            place.kept_for.push(hop.clone());
            called.push((ip, hop));
            self.0.bell.notify_one();
        }
        if place.taken == 0 && place.kept_for.is_empty() && place.line.is_empty() {
            places.remove(&ip);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn is_full(&self, max: usize) -> bool {
        self.taken + self.kept_for.len() >= max
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

    fn called(addresses: &Addresses) -> Vec<String> {
        let called = addresses.called();
        called.iter().map(|(_, hop)| hop.to_string()).collect()
    }

    #[tokio::test]
    async fn whoever_is_called_has_a_place() {
        let addresses = Addresses::new(2);
        let [a, b, c, d, late] = ["a.test", "b.test", "c.test", "d.test", "late.test"].map(hop);
        let first = addresses.take(HOST, &a).unwrap();
        let second = addresses.take(HOST, &a).unwrap();
        assert!(addresses.take(HOST, &b).is_none());
        let other = "192.0.2.2".parse().unwrap();
        assert!(addresses.take(other, &b).is_some());
        for hop in [&b, &c, &d] {
            addresses.queue_up(HOST, hop.clone());
        }
        assert!(addresses.is_wanted(HOST) && called(&addresses).is_empty());
        drop(first);
        addresses.bell().await;
        assert_eq!(called(&addresses), ["b.test"]);
        // Nobody else gets in first, nor the one that has just left.
        assert!(addresses.take(HOST, &late).is_none() && addresses.take(HOST, &a).is_none());
        let third = addresses.take(HOST, &b).unwrap();
        assert!(addresses.take(HOST, &b).is_none(), "it was one place");
        // Whoever was called and does not come makes room for the next one.
        drop(second);
        assert_eq!(called(&addresses), ["c.test"]);
        addresses.leave_line(HOST, &c);
        assert_eq!(called(&addresses), ["d.test"]);
        assert!(!addresses.is_wanted(HOST));
        addresses.leave_line(HOST, &d);
        assert!(addresses.take(HOST, &late).is_some());
        drop(third);
        assert!(addresses.lines().places.is_empty());
    }

    #[test]
    fn with_more_places_more_are_called() {
        let addresses = Addresses::new(1);
        let [a, b, c] = ["a.test", "b.test", "c.test"].map(hop);
        let _first = addresses.take(HOST, &a).unwrap();
        for hop in [&b, &c] {
            addresses.queue_up(HOST, hop.clone());
        }
        assert_eq!(called(&addresses), [""; 0]);
        addresses.set_max(3);
        assert_eq!(called(&addresses), ["b.test", "c.test"]);
    }

    #[test]
    fn whoever_comes_when_there_is_a_place_need_not_wait() {
        let addresses = Addresses::new(1);
        let [a, b] = ["a.test", "b.test"].map(hop);
        let first = addresses.take(HOST, &a).unwrap();
        assert!(addresses.take(HOST, &b).is_none());
        drop(first);
        addresses.queue_up(HOST, b.clone());
        assert_eq!(called(&addresses), ["b.test"]);
        assert!(addresses.take(HOST, &a).is_none());
        assert!(addresses.take(HOST, &b).is_some());
        assert!(addresses.lines().places.is_empty());
    }
}
