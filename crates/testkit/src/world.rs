//! A whole mail server on loopback: a receiver, a store on disk and a deliverer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use deliver::Deliverer;
use mailtypes::{Domain, Mailbox, Timestamp};
use net::dns::MapDns;
use net::{Acceptor, Clock, Gate, Limits, TcpDial, listen};
use proto::smtp;
use receive::{Phase, Policy, Receiver, Settings};
use store::{AccountId, AuditReport, Embedded, Options, Selection, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A server for `example.org` in a folder of its own. Its clock stands still but for the test.
pub struct World {
    /// Where clients connect.
    pub addr: SocketAddr,
    /// The clock of all its parts.
    pub clock: Clock,
    /// What it has stored.
    pub store: Embedded,
    /// What names mean to it.
    pub dns: MapDns,
    phase: watch::Sender<Phase>,
    stop: watch::Sender<bool>,
    receiver: JoinHandle<()>,
    deliverer: JoinHandle<()>,
    /// Goes last: the others work in it.
    _folder: tempfile::TempDir,
}

impl World {
    /// Starts a server that speaks as `smtp` says and has no accounts yet.
    pub async fn start(smtp: smtp::Settings) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Clock::manual(START);
        let store = open(folder.path(), &clock)?;
        let wake: Arc<Notify> = Arc::default();
        let hostname = smtp.hostname.clone();
        let settings = Settings {
            hostname: hostname.clone(),
            domains: vec![Domain::parse(DOMAIN)?],
            postmaster: None,
            relay_networks: Vec::new(),
            smtp: Arc::new(smtp),
        };
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let receiver = Receiver::new(
            store.clone(),
            clock.clone(),
            Arc::clone(&settings),
            Gate::new(LIMITS),
            Arc::clone(&wake),
        );
        let acceptor = Acceptor::new(listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?)?;
        let addr = acceptor.local_addr()?;
        let dns = MapDns::new(clock.clone());
        let policy = Policy {
            store: store.clone(),
            clock: clock.clone(),
            settings: Arc::clone(&settings),
        };
        let deliverer = Deliverer::new(
            store.clone(),
            dns.clone(),
            TcpDial::new(clock.clone()),
            Arc::new(policy),
            clock.clone(),
            Arc::new(ArcSwap::from_pointee(outgoing(&hostname)?)),
            wake,
        );
        let deliverer = deliverer.seeded(SEED);
        let (phase, phases) = watch::channel(Phase::Serve);
        let (stop, stops) = watch::channel(false);
        Ok(Self {
            addr,
            clock,
            store,
            dns,
            phase,
            stop,
            receiver: tokio::spawn(async move { receiver.serve(acceptor, phases).await }),
            deliverer: tokio::spawn(deliverer.run(stops)),
            _folder: folder,
        })
    }

    /// The mailbox that a test means: `Postmaster` is that of our domain.
    pub fn mailbox(address: &str) -> anyhow::Result<Mailbox> {
        if address.eq_ignore_ascii_case("postmaster") {
            return Ok(Mailbox::parse(&format!("postmaster@{DOMAIN}"))?);
        }
        Mailbox::parse(address).with_context(|| format!("the address {address}"))
    }

    /// Somebody who gets mail; nobody can log in there.
    pub async fn add_account(&self, address: &str) -> anyhow::Result<AccountId> {
        let mailbox = Self::mailbox(address)?;
        let added = self.store.add_account(&mailbox, "*").await;
        added.with_context(|| format!("the account {address}"))
    }

    /// Returns when nothing waits in the queue.
    pub async fn settled(&self) -> anyhow::Result<()> {
        let empty = async {
            while !self
                .store
                .queue(&Selection::default(), None, 1)
                .await?
                .is_empty()
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            anyhow::Ok(())
        };
        in_time(empty).await.context("the queue does not empty")?
    }

    /// Ends all parts in order; answers the books of the queue. The clients must have gone: the
    /// clock stands still, so nobody is sent away for being slow.
    pub async fn stop(self) -> anyhow::Result<AuditReport> {
        self.phase.send_replace(Phase::Stop);
        in_time(self.receiver).await.context("the receiver")??;
        self.stop.send_replace(true);
        in_time(self.deliverer).await.context("the deliverer")??;
        let report = self.store.audit().await?;
        self.store.close();
        Ok(report)
    }
}

/// Delivery as servers do it by themselves.
fn outgoing(hostname: &str) -> anyhow::Result<deliver::Settings> {
    Ok(deliver::Settings {
        own: deliver::Own {
            hostname: Domain::parse(hostname)?,
            addresses: Vec::new(),
        },
        domains: vec![Domain::parse(DOMAIN)?],
        routes: deliver::Routes::default(),
        schedule: deliver::Schedule::default(),
        limits: deliver::Limits {
            total: 100,
            per_hop: 10,
        },
        client: Arc::default(),
    })
}

fn open(folder: &std::path::Path, clock: &Clock) -> anyhow::Result<Embedded> {
    let clock = clock.clone();
    let options = Options {
        seed: Some(SEED),
        ..Options::new(Arc::new(move || clock.now()))
    };
    Ok(Embedded::open(folder, options)?)
}

async fn in_time<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.context("it takes too long")
}

const DOMAIN: &str = "example.org";
/// Some day in 2027.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SEED: u64 = 1;
const LIMITS: Limits = Limits {
    total: 100,
    per_address: 100,
};
/// Of the wall clock, for parts that are stuck.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
