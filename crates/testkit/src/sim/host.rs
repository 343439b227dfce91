//! One mail server: its folder outlives it when it is killed.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, ensure};
use deliver::Schedule;
use ipnet::IpNet;
use net::Clock;
use net::dns::MapDns;
use proto::smtp;
use rand::rngs::SmallRng;
use store::double::{Lie, MemoryDisk, Odds};
use store::{AccountId, Embedded, Listing, OpenError, Store};
use tokio::sync::Notify;

use super::between;
use super::connection::Break;
use super::journal::Journal;
use super::network::Network;
use super::remains::{Death, Remains, folder_in_memory};
use crate::World;
pub(super) use crate::server::CONNECTIONS;
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
    journal: Journal,
    network: Network,
    lie: Option<Lie>,
    life: Mutex<Life>,
    /// Somebody has just heard a 250 from it.
    pub(super) promised: Notify,
    /// It has come to an end in the middle of a step of its disk.
    pub(super) ended: Notify,
    /// How many starts have repeated what the journal had promised.
    repeats: AtomicUsize,
}

/// What changes from one start to the next.
struct Life {
    /// Nothing while it is down.
    running: Option<(Embedded, Running)>,
    folder: tempfile::TempDir,
    disk: MemoryDisk,
    /// How the disk is now; the next one will be the same.
    mood: Mood,
    /// What the next start goes on with, once it has ended.
    remains: Option<Remains>,
}

/// What the disk of a server is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mood {
    pub(super) odds: Odds,
    pub(super) full: bool,
}

/// What a server is made with.
pub(super) struct Plan<'a> {
    pub(super) number: u8,
    pub(super) clock: &'a Clock,
    pub(super) journal: &'a Journal,
    pub(super) network: &'a Network,
    pub(super) schedule: Schedule,
    pub(super) seed: u64,
    /// What its disk says and does not do.
    pub(super) lie: Option<Lie>,
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
    pub(super) async fn start(plan: Plan<'_>) -> anyhow::Result<Arc<Self>> {
        let number = plan.number;
        let life = Life {
            running: None,
            folder: folder_in_memory()?,
            disk: MemoryDisk::seeded(plan.seed),
            mood: Mood::default(),
            remains: None,
        };
        let host = Arc::new(Self {
            name: NAMES[usize::from(number)],
            addr: addr(number),
            dns: MapDns::new(plan.clock.clone()),
            number,
            seed: plan.seed,
            schedule: plan.schedule,
            clock: plan.clock.clone(),
            journal: plan.journal.clone(),
            network: plan.network.clone(),
            lie: plan.lie,
            life: Mutex::new(life),
            promised: Notify::new(),
            ended: Notify::new(),
            repeats: AtomicUsize::default(),
        });
        for line in names() {
            host.dns.set(&line);
        }
        let store = host.open()?;
        for user in USERS {
            let address = World::mailbox(&format!("{user}@{}", host.name))?;
            store.add_account(&address, "*").await?;
        }
        host.run(store)?;
        Ok(host)
    }

    pub(super) fn store(&self) -> anyhow::Result<Embedded> {
        let life = self.lock();
        let store = life.running.as_ref().map(|(store, _)| store.clone());
        store.with_context(|| format!("{} is down", self.name))
    }

    /// What its deliverer keeps in memory; nothing while it is down.
    pub(super) fn kept(&self) -> Option<deliver::Kept> {
        let life = self.lock();
        life.running
            .as_ref()
            .map(|(_, running)| running.kept.look())
    }

    /// The mailbox of a user.
    pub(super) async fn account(&self, user: &str) -> anyhow::Result<AccountId> {
        let address = World::mailbox(&format!("{user}@{}", self.name))?;
        match self.store()?.lookup(&address).await? {
            Some(Listing::Account(account)) => Ok(account),
            _ => anyhow::bail!("{address} has no account"),
        }
    }

    /// Changes what its disk is like.
    pub(super) fn set_mood(&self, mood: Mood) {
        let mut life = self.lock();
        life.mood = mood;
        life.disk.set_odds(mood.odds);
        life.disk.set_full(mood.full);
    }

    /// Has it end in the middle of what it does, with the step of its disk that comes so many steps
    /// from now. `ended` tells when.
    pub(super) fn end_in(self: &Arc<Self>, steps: u64, death: Death) {
        let host = Arc::downgrade(self);
        let disk = self.lock().disk.clone();
        disk.end_in(steps, move || {
            if let Some(host) = Weak::upgrade(&host) {
                host.end(death);
                host.ended.notify_one();
            }
        });
    }

    /// From now on nothing that it does reaches anybody.
    fn end(&self, death: Death) {
        let mut life = self.lock();
        if life.remains.is_some() {
            return;
        }
        life.disk.end();
        self.network.cut_off(
            self.addr,
            match death {
                Death::Process => Break::Reset,
                Death::Power => Break::Silence,
            },
        );
        let remains = Remains::of(life.folder.path(), &life.disk, death);
        match remains {
            Ok(remains) => life.remains = Some(remains),
            // The next start says so.
            Err(error) => self.journal.note(&format!("{}: {error:#}", self.name)),
        }
    }

    /// Ends it, unless it has ended already, and clears away what was running.
    pub(super) async fn kill(&self, death: Death) {
        self.end(death);
        let Some((store, running)) = self.lock().running.take() else {
            return;
        };
        store.crash();
        running.receiver.abort();
        running.deliverer.abort();
        // Cancelled: that was the purpose.
        let _ = running.receiver.await;
        let _ = running.deliverer.await;
    }

    /// Starts it again on what is left of it.
    pub(super) async fn start_again(&self) -> anyhow::Result<()> {
        {
            let mut life = self.lock();
            let remains = life.remains.take().context("nothing is left of it")?;
            life.folder = remains.folder;
            life.disk = remains.disk;
        }
        let mut tries = 0;
        let store = loop {
            match self.open() {
                Ok(store) => break store,
                // While its disk fails, a start may fail.
                Err(OpenError::Log(error)) if tries < OPEN_TRIES => {
                    self.journal.note(&format!("{}: {error}", self.name));
                    tries += 1;
                }
                Err(error) => return Err(error).context("starting again"),
            }
            let soon = self.clock.now() + Duration::from_secs(1);
            self.clock.sleep_until(soon).await;
        };
        let report = store.audit().await?;
        ensure!(
            report.problems.is_empty() && report.totals.balance(),
            "{} starts with {report:?}",
            self.name
        );
        let repeated = usize::from(store.repeated() > 0);
        self.repeats.fetch_add(repeated, Ordering::Relaxed);
        self.run(store)
    }

    /// How many of its starts have repeated what the journal had promised.
    pub(super) fn repeats(&self) -> usize {
        self.repeats.load(Ordering::Relaxed)
    }

    fn open(&self) -> Result<Embedded, OpenError> {
        let life = self.lock();
        let (journal, name) = (self.journal.clone(), self.name);
        life.disk
            .listen(move |what| journal.note(&format!("the disk of {name}: {what}")));
        life.disk.tell_lie(self.lie);
        life.disk.set_odds(life.mood.odds);
        life.disk.set_full(life.mood.full);
        let disk = Arc::new(life.disk.clone());
        let folder = life.folder.path().to_owned();
        drop(life);
        kind(self.number, self.schedule, self.seed).open_on(&folder, &self.clock, disk)
    }

    fn run(&self, store: Embedded) -> anyhow::Result<()> {
        let kind = kind(self.number, self.schedule, self.seed);
        let (dial, listener) = (self.network.from(self.addr), self.network.listen(self.addr));
        let dns = self.dns.clone();
        let running = kind.start(&store, &self.clock, dns, dial, listener)?;
        self.lock().running = Some((store, running));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
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
/// However badly its disk fails, a start has gone well by then.
const OPEN_TRIES: u32 = 100;
