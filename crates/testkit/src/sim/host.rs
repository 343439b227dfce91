//! One mail server: its folder outlives it when it is killed.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use deliver::Schedule;
use ipnet::IpNet;
use net::Clock;
use net::dns::MapDns;
use proto::smtp;
use rand::rngs::SmallRng;
use store::{AccountId, Embedded, Listing, Store};
use tokio::sync::Notify;

use super::between;
use super::network::Network;
use crate::World;
use crate::server::{Kind, Running};

/// A server with all that is its own.
pub(super) struct Host {
    /// Its domain.
    pub(super) name: &'static str,
    pub(super) addr: IpAddr,
    pub(super) dns: MapDns,
    number: u8,
    seed: u64,
    schedule: Schedule,
    clock: Clock,
    network: Network,
    /// Nothing while it is down.
    running: Mutex<Option<(Embedded, Running)>>,
    /// Somebody has just heard a 250 from it.
    pub(super) promised: Notify,
    /// How many starts have repeated what the journal had promised.
    repeats: AtomicUsize,
    folder: tempfile::TempDir,
}

/// When the servers of a simulation try again.
pub(super) fn schedule(rng: &mut SmallRng) -> Schedule {
    Schedule {
        first: between(rng, Duration::from_mins(1), Duration::from_mins(10)),
        longest: between(rng, Duration::from_mins(30), Duration::from_hours(3)),
        warning: Some(between(
            rng,
            Duration::from_hours(1),
            Duration::from_hours(4),
        )),
        lifetime: between(rng, Duration::from_hours(5), Duration::from_hours(24)),
    }
}

impl Host {
    pub(super) async fn new(
        number: u8,
        clock: &Clock,
        network: &Network,
        schedule: Schedule,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let folder = folder()?;
        let store = kind(number, schedule, seed).open(folder.path(), clock, false)?;
        for user in USERS {
            let address = World::mailbox(&format!("{user}@{}", NAMES[usize::from(number)]))?;
            store.add_account(&address, "*").await?;
        }
        let host = Self {
            name: NAMES[usize::from(number)],
            addr: addr(number),
            dns: MapDns::new(clock.clone()),
            number,
            seed,
            schedule,
            clock: clock.clone(),
            network: network.clone(),
            running: Mutex::default(),
            promised: Notify::new(),
            repeats: AtomicUsize::default(),
            folder,
        };
        for line in names() {
            host.dns.set(&line);
        }
        host.run(store)?;
        Ok(host)
    }

    pub(super) fn store(&self) -> anyhow::Result<Embedded> {
        let store = self.lock().as_ref().map(|(store, _)| store.clone());
        store.with_context(|| format!("{} is down", self.name))
    }

    /// The mailbox of a user.
    pub(super) async fn account(&self, user: &str) -> anyhow::Result<AccountId> {
        let address = World::mailbox(&format!("{user}@{}", self.name))?;
        match self.store()?.lookup(&address).await? {
            Some(Listing::Account(account)) => Ok(account),
            _ => anyhow::bail!("{address} has no account"),
        }
    }

    /// Ends it in the middle of whatever it does.
    pub(super) async fn kill(&self) {
        let Some((store, running)) = self.lock().take() else {
            return;
        };
        store.crash();
        running.receiver.abort();
        running.deliverer.abort();
        // Cancelled: that was the purpose.
        let _ = running.receiver.await;
        let _ = running.deliverer.await;
    }

    /// Starts it again on what it has on disk.
    pub(super) async fn start_again(&self) -> anyhow::Result<()> {
        let mut tries = 0;
        let store = loop {
            let kind = kind(self.number, self.schedule, self.seed);
            match kind.open(self.folder.path(), &self.clock, false) {
                Ok(store) => break store,
                Err(error) if tries >= OPEN_TRIES => return Err(error).context("starting again"),
                Err(_) => tries += 1,
            }
            let soon = self.clock.now() + Duration::from_secs(1);
            self.clock.sleep_until(soon).await;
        };
        let repeated = usize::from(store.repeated() > 0);
        self.repeats.fetch_add(repeated, Ordering::Relaxed);
        self.run(store)
    }

    /// How many of its starts have repeated what the journal had promised.
    pub(super) fn repeats(&self) -> usize {
        self.repeats.load(Ordering::Relaxed)
    }

    fn run(&self, store: Embedded) -> anyhow::Result<()> {
        let kind = kind(self.number, self.schedule, self.seed);
        let (dial, listener) = (self.network.from(self.addr), self.network.listen(self.addr));
        let dns = self.dns.clone();
        let running = kind.start(&store, &self.clock, dns, dial, listener)?;
        *self.lock() = Some((store, running));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Embedded, Running)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kind<'a>(number: u8, schedule: Schedule, seed: u64) -> Kind<'a> {
    Kind {
        domain: NAMES[usize::from(number)],
        smtp: smtp::Settings {
            hostname: format!("mx.{}", NAMES[usize::from(number)]),
            ..smtp::Settings::default()
        },
        relay_networks: vec![IpNet::from(client_addr(number))],
        schedule,
        addresses: vec![addr(number)],
        seed,
    }
}

/// A folder in memory, where there is one.
fn folder() -> anyhow::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    Ok(folder?)
}

/// Where a server listens.
pub(super) fn addr(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number + 1])
}

/// Where the people of a server sit.
pub(super) fn client_addr(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 1, number + 1])
}

/// What DNS says while all is well. The last domain has a host in front that there is not; one
/// domain has a host that never answers.
fn names() -> Vec<String> {
    let mut lines = vec![
        format!("A old.{} 300 10.0.2.1", NAMES[2]),
        format!("MX {DEAD} 300 10 mx.{DEAD}"),
        format!("A mx.{DEAD} 300 10.0.2.2"),
    ];
    for (number, name) in (0..).zip(NAMES) {
        lines.push(mx(number));
        lines.push(format!("A mx.{name} 300 {}", addr(number)));
    }
    lines
}

/// The mail exchangers of a server's domain.
pub(super) fn mx(number: u8) -> String {
    let name = NAMES[usize::from(number)];
    let in_front = if number == 2 { "5 old.c.example, " } else { "" };
    format!("MX {name} 300 {in_front}10 mx.{name}")
}

/// The servers' domains.
pub(super) const NAMES: [&str; 3] = ["a.example", "b.example", "c.example"];
/// The users of each.
pub(super) const USERS: [&str; 3] = ["ann", "bob", "cid"];
/// A domain whose host never answers.
pub(super) const DEAD: &str = "dead.example";
/// Where that host would be.
pub(super) const DEAD_ADDR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 2, 2));
/// The folder of a server that was killed is let go of by then.
const OPEN_TRIES: u32 = 100;
