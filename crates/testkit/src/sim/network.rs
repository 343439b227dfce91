//! The simulated network: who listens where, and what the links between hosts are like.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use mailtypes::Timestamp;
use net::{Accept, Clock, Dial, DialError};
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::sync::mpsc;

use super::between;
use super::connection::{Break, Connection, Stream};
use super::journal::Journal;

/// What a link is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sky {
    /// All is well.
    Fair,
    /// Seconds pass between two ends.
    Slow,
    /// Connections are refused; those that were are reset.
    Refusing,
    /// Nothing arrives, and nobody is told.
    Silent,
    /// Connections break in the middle.
    Breaking,
}

/// The network; clones share it.
#[derive(Clone)]
pub(super) struct Network {
    clock: Clock,
    journal: Journal,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    rng: SmallRng,
    listeners: BTreeMap<IpAddr, mpsc::UnboundedSender<(Stream, SocketAddr)>>,
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    /// Those that have ended: what is left of them reaches nobody.
    ended: BTreeSet<IpAddr>,
}

struct Link {
    sky: Sky,
    connections: Vec<Weak<Connection>>,
}

impl Network {
    pub(super) fn new(clock: Clock, journal: Journal, rng: SmallRng) -> Self {
        let inside = Inside {
            rng,
            listeners: BTreeMap::new(),
            links: BTreeMap::new(),
            ended: BTreeSet::new(),
        };
        Self {
            clock,
            journal,
            inside: Arc::new(Mutex::new(inside)),
        }
    }

    /// Somebody who listens at an address until dropped.
    pub(super) fn listen(&self, at: IpAddr) -> Listener {
        let (queue, connections) = mpsc::unbounded_channel();
        let mut inside = self.lock();
        inside.ended.remove(&at);
        inside.listeners.insert(at, queue);
        drop(inside);
        Listener {
            network: self.clone(),
            at,
            connections,
        }
    }

    /// Somebody who connects from an address.
    pub(super) fn from(&self, from: IpAddr) -> Dialer {
        Dialer {
            network: self.clone(),
            from,
        }
    }

    /// Changes the link between two addresses.
    pub(super) fn set_sky(&self, one: IpAddr, other: IpAddr, sky: Sky) {
        let connections = {
            let mut inside = self.lock();
            let link = inside.link(one, other);
            link.sky = sky;
            std::mem::take(&mut link.connections)
        };
        let how = match sky {
            Sky::Refusing => Break::Reset,
            Sky::Silent => Break::Silence,
            Sky::Fair | Sky::Slow | Sky::Breaking => {
                return self.lock().link(one, other).connections = connections;
            }
        };
        for connection in connections.iter().filter_map(Weak::upgrade) {
            connection.cut(how);
        }
    }

    /// Whoever is at an address has ended: nothing reaches it, nor anybody from there, until
    /// somebody listens there again.
    pub(super) fn cut_off(&self, at: IpAddr, how: Break) {
        let connections: Vec<_> = {
            let mut inside = self.lock();
            inside.ended.insert(at);
            inside.listeners.remove(&at);
            let links = inside.links.iter_mut();
            links
                .filter(|((one, other), _)| *one == at || *other == at)
                .flat_map(|(_, link)| std::mem::take(&mut link.connections))
                .collect()
        };
        for connection in connections.iter().filter_map(Weak::upgrade) {
            connection.cut(how);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn link(&mut self, one: IpAddr, other: IpAddr) -> &mut Link {
        let ends = (one.min(other), one.max(other));
        self.links.entry(ends).or_insert(Link {
            sky: Sky::Fair,
            connections: Vec::new(),
        })
    }

    /// How long octets take, and when the connection breaks.
    fn plan(&mut self, sky: Sky) -> (Duration, Option<(usize, Break)>) {
        let rng = &mut self.rng;
        match sky {
            Sky::Slow => {
                let delay = between(rng, Duration::from_secs(1), Duration::from_secs(40));
                (delay, None)
            }
            Sky::Breaking => {
                let how = if rng.random() {
                    Break::Reset
                } else {
                    Break::Silence
                };
                let after = rng.random_range(1..BREAKS_WITHIN);
                (Duration::from_millis(20), Some((after, how)))
            }
            Sky::Fair | Sky::Refusing | Sky::Silent => {
                let delay = between(rng, Duration::from_millis(1), Duration::from_millis(80));
                (delay, None)
            }
        }
    }
}

/// Connects from one address.
#[derive(Clone)]
pub(super) struct Dialer {
    network: Network,
    from: IpAddr,
}

impl Dial for Dialer {
    type Stream = Stream;

    async fn dial(&self, to: SocketAddr, deadline: Timestamp) -> Result<Stream, DialError> {
        let dialed = self.connect(to.ip(), deadline).await;
        let what = match &dialed {
            Ok(_) => "connected".to_owned(),
            Err(error) => error.to_string(),
        };
        let (from, to) = (self.from, to.ip());
        self.network
            .journal
            .note(&format!("{from} -> {to}: {what}"));
        dialed
    }
}

impl Dialer {
    async fn connect(&self, to: IpAddr, deadline: Timestamp) -> Result<Stream, DialError> {
        let clock = &self.network.clock;
        let began = clock.now();
        let (sky, (delay, breaks)) = {
            let mut inside = self.network.lock();
            let sky = inside.link(self.from, to).sky;
            (sky, inside.plan(sky))
        };
        let arrives = began + delay * 2;
        if sky == Sky::Silent || arrives > deadline {
            clock.sleep_until(deadline).await;
            return Err(DialError::Timeout(deadline.since(began)));
        }
        clock.sleep_until(arrives).await;
        if sky == Sky::Refusing {
            return Err(DialError::Refused);
        }
        let (connection, ours, theirs) = Connection::open(delay, breaks);
        let mut inside = self.network.lock();
        if inside.ended.contains(&self.from) {
            return Err(DialError::Refused);
        }
        let link = inside.link(self.from, to);
        link.connections.retain(|known| known.strong_count() > 0);
        link.connections.push(Arc::downgrade(&connection));
        let listener = inside.listeners.get(&to).cloned();
        drop(inside);
        let from = SocketAddr::new(self.from, PORT);
        match listener.map(|listener| listener.send((theirs, from))) {
            Some(Ok(())) => Ok(ours),
            Some(Err(_)) | None => Err(DialError::Refused),
        }
    }
}

/// Listens at one address.
pub(super) struct Listener {
    network: Network,
    at: IpAddr,
    connections: mpsc::UnboundedReceiver<(Stream, SocketAddr)>,
}

impl Accept for Listener {
    type Stream = Stream;

    async fn accept(&mut self) -> (Stream, SocketAddr) {
        match self.connections.recv().await {
            Some(connection) => connection,
            // Another one has taken the address.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connections.close();
        let mut inside = self.network.lock();
        // Another one may have taken the address.
        if inside
            .listeners
            .get(&self.at)
            .is_some_and(mpsc::UnboundedSender::is_closed)
        {
            inside.listeners.remove(&self.at);
        }
    }
}

/// Whatever port clients have.
const PORT: u16 = 40_000;
/// A session with a message is about as long, in octets of both ways.
const BREAKS_WITHIN: usize = 4000;
