//! How many connections there are to each address, whatever next hops they serve: a host that is the
//! mail exchanger of many domains is still one host.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailtypes::Timestamp;
use net::Clock;
use tokio::sync::Notify;

/// The connections that are open or about to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(Arc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    /// Only of addresses that somebody uses or waits for.
    places: Mutex<HashMap<IpAddr, Place>>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Place {
    taken: usize,
    waiting: usize,
}

/// One connection; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    addresses: Addresses,
    ip: IpAddr,
}

/// Somebody waits for a connection, until it is dropped.
struct Waiting<'a>(&'a Addresses, IpAddr);

impl Addresses {
    /// A connection to an address, of which there may be `max`; `None` when there are so many.
    pub(crate) fn take(&self, ip: IpAddr, max: usize) -> Option<Permit> {
        let mut places = self.places();
        let place = places.entry(ip).or_default();
        if place.taken >= max {
            return None;
        }
        place.taken += 1;
        let addresses = self.clone();
        Some(Permit { addresses, ip })
    }

    /// The same, waiting for another one to end.
    pub(crate) async fn wait(
        &self,
        ip: IpAddr,
        max: usize,
        clock: &Clock,
        until: Timestamp,
    ) -> Option<Permit> {
        self.places().entry(ip).or_default().waiting += 1;
        let _waiting = Waiting(self, ip);
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if let Some(permit) = self.take(ip, max) {
                return Some(permit);
            }
            tokio::select! {
                biased;
                () = freed => {}
                () = clock.sleep_until(until) => return None,
            }
        }
    }

    /// Whether others wait for a connection to an address: then none stands by.
    pub(crate) fn is_wanted(&self, ip: IpAddr) -> bool {
        self.places()
            .get(&ip)
            .is_some_and(|place| place.waiting > 0)
    }

    fn change(&self, ip: IpAddr, change: impl FnOnce(&mut Place)) {
        let mut places = self.places();
        if let Some(place) = places.get_mut(&ip) {
            change(place);
            if place.taken == 0 && place.waiting == 0 {
                places.remove(&ip);
            }
        }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<IpAddr, Place>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.addresses.change(self.ip, |place| place.taken -= 1);
        self.addresses.0.freed.notify_waiters();
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(self.1, |place| place.waiting -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[tokio::test]
    async fn whoever_waits_comes_in_when_another_leaves() {
        let addresses = Addresses::default();
        let clock = Clock::manual(Timestamp::EPOCH);
        let first = addresses.take(HOST, 2).unwrap();
        let _second = addresses.take(HOST, 2).unwrap();
        assert!(addresses.take(HOST, 2).is_none());
        assert!(addresses.take("192.0.2.2".parse().unwrap(), 2).is_some());
        let until = clock.now() + std::time::Duration::from_secs(10);
        let (third, ()) = tokio::join!(addresses.wait(HOST, 2, &clock, until), async {
            tokio::task::yield_now().await;
            assert!(addresses.is_wanted(HOST));
            drop(first);
        });
        assert!(third.is_some() && !addresses.is_wanted(HOST));
        let (nothing, ()) = tokio::join!(addresses.wait(HOST, 2, &clock, until), async {
            tokio::task::yield_now().await;
            clock.advance(std::time::Duration::from_secs(10));
        });
        assert!(nothing.is_none());
    }

    #[test]
    fn what_nobody_uses_is_forgotten() {
        let addresses = Addresses::default();
        drop(addresses.take(HOST, 1));
        assert!(addresses.places().is_empty());
    }
}
