//! Three mail servers in one thread, with a clock that jumps and a network that fails.
//!
//! Everything that chance decides comes from one seed, and one thing happens after the other: the
//! same seed tells the same story. People send mail through their own server to the users of all
//! three. Links are slow, refuse, fall silent and break in the middle; names are not found for a
//! while; servers are killed and start again. Then the weather clears, the queues run empty, and
//! the ledger is compared with the mailboxes.
//!
//! The servers are the real ones: receiver, store and deliverer. The store works without threads
//! on a folder in memory, where there is one.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
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
mod weather;

use host::Host;
use journal::Journal;
pub use judge::Tally;
use ledger::Ledger;
use network::Network;

/// What became of one seed.
pub struct Outcome {
    /// How much happened; the first thing that should not have, as an error.
    pub result: anyhow::Result<Tally>,
    /// What happened, line by line.
    pub journal: Vec<String>,
}

/// Plays one seed.
pub fn run(seed: u64) -> Outcome {
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
        let result = play(seed, &clock, &journal).await;
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
    /// When the weather clears for good.
    clear: Timestamp,
}

async fn play(seed: u64, clock: &Clock, journal: &Journal) -> anyhow::Result<Tally> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let clear = clock.now() + between(&mut rng, STORM_MIN, STORM_MAX);
    let network = Network::new(clock.clone(), journal.clone(), fork(&mut rng));
    let schedule = host::schedule(&mut rng);
    journal.note(&format!("seed {seed}, storm until {clear}, {schedule:?}"));
    let mut hosts = Vec::new();
    for n in 0..HOSTS {
        let host = Host::new(n, clock, &network, schedule, rng.random()).await?;
        hosts.push(Arc::new(host));
    }
    let sim = Sim {
        clock: clock.clone(),
        journal: journal.clone(),
        network,
        ledger: Ledger::default(),
        hosts,
        clear,
    };
    let people = people::start(&sim, &mut rng);
    let weather = weather::start(&sim, &mut rng);
    for task in people.into_iter().chain(weather) {
        task.await.context("a part of the simulation")??;
    }
    journal.note("the weather is clear and everybody has sent their mail");
    settled(&sim, schedule.lifetime * 2 + SETTLE_MAX).await?;
    let tally = judge::judge(&sim.hosts, &sim.ledger).await?;
    journal.note(&format!("{tally:?}"));
    Ok(tally)
}

/// Returns when no queue holds anything.
async fn settled(sim: &Sim, within: Duration) -> anyhow::Result<()> {
    let until = sim.clock.now() + within;
    for host in &sim.hosts {
        let store = host.store()?;
        loop {
            let queue = store.queue(&Selection::default(), None, 10).await?;
            if queue.is_empty() {
                break;
            }
            let late = sim.clock.now() >= until;
            ensure!(!late, "{} still has in its queue: {queue:#?}", host.name);
            sim.clock.sleep_until(sim.clock.now() + SETTLE_LOOK).await;
        }
    }
    Ok(())
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
