//! A whole mail server on loopback: a receiver, a store on disk and a deliverer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use deliver::Schedule;
use mailtypes::{Mailbox, Timestamp};
use net::dns::MapDns;
use net::{Acceptor, Clock, TcpDial, listen};
use proto::smtp;
use receive::Phase;
use store::{AccountId, AuditReport, Embedded, Selection, Store};

use crate::server::{Kind, Running};

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
    running: Running,
    /// Goes last: the others work in it.
    _folder: tempfile::TempDir,
}

impl World {
    /// Starts a server that speaks as `smtp` says and has no accounts yet.
    pub async fn start(smtp: smtp::Settings) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Clock::manual(START);
        let kind = Kind {
            domain: DOMAIN,
            smtp,
            relay_networks: Vec::new(),
            schedule: Schedule::default(),
            addresses: Vec::new(),
            seed: SEED,
        };
        let store = kind.open(folder.path(), &clock)?;
        let acceptor = Acceptor::new(listen::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?)?;
        let addr = acceptor.local_addr()?;
        let dns = MapDns::new(clock.clone());
        let dial = TcpDial::new(clock.clone());
        let running = kind.start(&store, &clock, dns.clone(), dial, acceptor)?;
        Ok(Self {
            addr,
            clock,
            store,
            dns,
            running,
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
        let running = self.running;
        running.phase.send_replace(Phase::Stop);
        let ended = in_time(running.receiver).await;
        ended.context("the receiver")??;
        running.stop.send_replace(true);
        let ended = in_time(running.deliverer).await;
        ended.context("the deliverer")??;
        let report = self.store.audit().await?;
        self.store.close();
        Ok(report)
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.context("it takes too long")
}

const DOMAIN: &str = "example.org";
/// Some day in 2027.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SEED: u64 = 1;
/// Of the wall clock, for parts that are stuck.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
