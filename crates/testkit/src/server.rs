//! The parts of a mail server, put together as the program does it.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use deliver::{Deliverer, Schedule};
use ipnet::IpNet;
use mailtypes::Domain;
use net::dns::Dns;
use net::{Accept, Clock, Dial, Gate, Limits};
use proto::smtp;
use receive::{Phase, Policy, Receiver, Settings};
use store::{Disk, Embedded, OpenError, Options, Work};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// What kind of server.
pub(crate) struct Kind<'a> {
    /// Its domain.
    pub(crate) domain: &'a str,
    /// How it speaks, and its name.
    pub(crate) smtp: smtp::Settings,
    /// Whose clients may send to everybody.
    pub(crate) relay_networks: Vec<IpNet>,
    /// When it tries again.
    pub(crate) schedule: Schedule,
    /// How it knows itself among mail exchangers.
    pub(crate) addresses: Vec<IpAddr>,
    /// Where its chance comes from.
    pub(crate) seed: u64,
}

/// A server at work. Dropped, it ends as a process does that is killed.
pub(crate) struct Running {
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) receiver: JoinHandle<()>,
    pub(crate) deliverer: JoinHandle<()>,
    pub(crate) kept: deliver::KeptView,
}

impl Kind<'_> {
    /// Opens its store, with threads of its own.
    pub(crate) fn open(&self, folder: &Path, clock: &Clock) -> Result<Embedded, OpenError> {
        Embedded::open(folder, self.options(clock))
    }

    /// Opens its store on a disk that need not be real; whoever waits for it does its work.
    pub(crate) fn open_on(
        &self,
        folder: &Path,
        clock: &Clock,
        disk: Arc<dyn Disk>,
    ) -> Result<Embedded, OpenError> {
        let options = Options {
            disk: Some(disk),
            work: Work::Callers,
            segment_len: SEGMENT_LEN,
            ..self.options(clock)
        };
        Embedded::open(folder, options)
    }

    fn options(&self, clock: &Clock) -> Options {
        let clock = clock.clone();
        Options {
            seed: Some(self.seed),
            ..Options::new(Arc::new(move || clock.now()))
        }
    }

    /// Starts it on a store, a clock, a DNS and a network.
    pub(crate) fn start(
        self,
        store: &Embedded,
        clock: &Clock,
        dns: impl Dns,
        dial: impl Dial,
        acceptor: impl Accept,
    ) -> anyhow::Result<Running> {
        let wake: Arc<Notify> = Arc::default();
        let (incoming, outgoing) = (self.incoming()?, self.outgoing()?);
        let receiver = Receiver::new(
            store.clone(),
            clock.clone(),
            Arc::clone(&incoming),
            Gate::new(LIMITS),
            Arc::clone(&wake),
            receive::Metrics::default(),
        );
        let policy = Policy {
            store: store.clone(),
            clock: clock.clone(),
            settings: incoming,
        };
        let deliverer = Deliverer::new(
            store.clone(),
            dns,
            dial,
            Arc::new(policy),
            clock.clone(),
            outgoing,
            wake,
        );
        let deliverer = deliverer.seeded(self.seed);
        let kept = deliverer.kept();
        let (phase, phases) = watch::channel(Phase::Serve);
        let (stop, stops) = watch::channel(false);
        Ok(Running {
            phase,
            stop,
            receiver: tokio::spawn(async move { receiver.serve(acceptor, phases).await }),
            deliverer: tokio::spawn(deliverer.run(stops)),
            kept,
        })
    }

    fn incoming(&self) -> anyhow::Result<Arc<ArcSwap<Settings>>> {
        Ok(Arc::new(ArcSwap::from_pointee(Settings {
            hostname: self.smtp.hostname.clone(),
            domains: vec![Domain::parse(self.domain)?],
            postmaster: None,
            relay_networks: self.relay_networks.clone(),
            smtp: Arc::new(self.smtp.clone()),
        })))
    }

    fn outgoing(&self) -> anyhow::Result<Arc<ArcSwap<deliver::Settings>>> {
        Ok(Arc::new(ArcSwap::from_pointee(deliver::Settings {
            own: deliver::Own {
                hostname: Domain::parse(&self.smtp.hostname)?,
                addresses: self.addresses.clone(),
            },
            domains: vec![Domain::parse(self.domain)?],
            routes: deliver::Routes::default(),
            schedule: self.schedule,
            limits: deliver::Limits {
                total: CONNECTIONS,
                per_hop: 10,
            },
            client: Arc::default(),
        })))
    }
}

/// Connections of one server to others.
pub(crate) const CONNECTIONS: usize = 100;
const LIMITS: Limits = Limits {
    total: 100,
    per_address: 100,
};
/// Short, so that segments fill and die, and their files are written again.
const SEGMENT_LEN: u64 = 4 * 1024;
