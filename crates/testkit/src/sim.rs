//! Three mail servers in one thread, with a clock that jumps and a network that fails.
//!
//! Everything that chance decides comes from one seed, and one thing happens after the other: the
//! same seed tells the same story. People send mail through their own server to the users of all
//! three. Links are slow, refuse, fall silent and break in the middle; names are not found for a
//! while; disks fail and are full; servers end, also in the middle of a step and with the power, and
//! start again on what a disk keeps then. All the time it is looked at what must always hold. At last
//! the weather clears, the queues run empty, the power fails everywhere once more, and the ledger is
//! compared with the mailboxes.
//!
//! The servers are the real ones: receiver, store and deliverer. The store works without threads;
//! its database lies in a folder in memory, where there is one, and its body log on a simulated disk.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use deliver::Schedule;
use mailtypes::Timestamp;
use net::Clock;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use store::{Selection, Store};

mod connection;
mod host;
mod journal;
mod judge;
mod ledger;
mod network;
mod people;
mod remains;
mod sleeper;
mod watch;
mod weather;

use host::{Host, Plan};
use journal::Journal;
pub use judge::Tally;
use ledger::Ledger;
use network::Network;
use remains::Death;
use store::double::Lie;

/// What became of one seed.
pub struct Outcome {
    /// How much happened; the first thing that should not have, as an error.
    pub result: anyhow::Result<Tally>,
    /// What happened, line by line.
    pub journal: Vec<String>,
}

/// Plays one seed.
pub fn run(seed: u64) -> Outcome {
    run_with(seed, None)
}

/// The same with disks that lie.
pub fn run_with(seed: u64, lie: Option<Lie>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            return Outcome {
                result: Err(error.into()),
                journal: Vec::new(),
            };
        }
    };
    runtime.block_on(async {
        let clock = Clock::of_runtime(START);
        let journal = Journal::new(clock.clone());
        let result = play(seed, lie, &clock, &journal).await;
        if let Err(error) = &result {
            journal.note(&format!("FAILED: {error:#}"));
        }
        Outcome {
            result,
            journal: journal.lines(),
        }
    })
}

/// The parts of a simulation.
struct Sim {
    clock: Clock,
    journal: Journal,
    network: Network,
    ledger: Ledger,
    hosts: Vec<Arc<Host>>,
    schedule: Schedule,
    /// When the weather clears for good.
    clear: Timestamp,
}

async fn play(
    seed: u64,
    lie: Option<Lie>,
    clock: &Clock,
    journal: &Journal,
) -> anyhow::Result<Tally> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let clear = clock.now() + between(&mut rng, STORM_MIN, STORM_MAX);
    let network = Network::new(clock.clone(), journal.clone(), fork(&mut rng));
    let schedule = host::schedule(&mut rng);
    journal.note(&format!("seed {seed}, storm until {clear}, {schedule:?}"));
    let mut hosts = Vec::new();
    for number in 0..HOSTS {
        let plan = Plan {
            number,
            clock,
            journal,
            network: &network,
            schedule,
            seed: rng.random(),
            lie,
        };
        hosts.push(Host::start(plan).await?);
    }
    let sim = Sim {
        clock: clock.clone(),
        journal: journal.clone(),
        network,
        ledger: Ledger::default(),
        hosts,
        schedule,
        clear,
    };
    tokio::select! {
        biased;
        broken = watch::watch(&sim) => Err(broken),
        played = sim.play(&mut rng) => played,
    }
}

impl Sim {
    async fn play(&self, rng: &mut SmallRng) -> anyhow::Result<Tally> {
        let tasks = [people::start, weather::start, sleeper::start];
        let tasks: Vec<_> = tasks.iter().flat_map(|start| start(self, rng)).collect();
        for task in tasks {
            task.await.context("a part of the simulation")??;
        }
        self.journal
            .note("the weather is clear and everybody has sent their mail");
        self.settle().await?;
        self.cut_power().await?;
        let mut tally = judge::judge(&self.hosts, &self.ledger).await?;
        tally.simulated = self.clock.now().since(START);
        self.journal.note(&format!("{tally:?}"));
        Ok(tally)
    }

    /// Returns when no queue holds anything, and no memory.
    async fn settle(&self) -> anyhow::Result<()> {
        let until = self.clock.now() + self.schedule.lifetime * 2 + SETTLE_MAX;
        for host in &self.hosts {
            let store = host.store()?;
            loop {
                let queue = store.queue(&Selection::default(), None, 10).await?;
                if queue.is_empty() {
                    break;
                }
                let late = self.clock.now() >= until;
                ensure!(!late, "{} still has in its queue: {queue:#?}", host.name);
                self.clock.sleep_until(self.clock.now() + SETTLE_LOOK).await;
            }
        }
        // What was delivered last is written down and forgotten.
        self.clock.sleep_until(self.clock.now() + SETTLE_LOOK).await;
        for host in &self.hosts {
            let kept = host.kept().unwrap_or_default();
            let left = kept.left_over().or(host.store()?.kept().left_over());
            ensure!(left.is_none(), "{}: {left:?}", host.name);
        }
        Ok(())
    }

    /// What is judged is what lies on the disks.
    async fn cut_power(&self) -> anyhow::Result<()> {
        for host in &self.hosts {
            host.kill(Death::Power).await;
            host.start_again().await?;
        }
        Ok(())
    }
}

fn between(rng: &mut SmallRng, from: Duration, to: Duration) -> Duration {
    let [from, to] = [from, to].map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    Duration::from_millis(rng.random_range(from..=to))
}

fn fork(rng: &mut SmallRng) -> SmallRng {
    SmallRng::seed_from_u64(rng.random())
}

/// Some day in 2027.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOSTS: u8 = 3;
const STORM_MIN: Duration = Duration::from_hours(6);
const STORM_MAX: Duration = Duration::from_hours(36);
/// How long a queue may take to run empty, beyond the lives of a message and of its report.
const SETTLE_MAX: Duration = Duration::from_hours(6);
const SETTLE_LOOK: Duration = Duration::from_mins(5);
