//! What fails, and when it is well again: links, names, servers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use net::Clock;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use store::double::Odds;
use tokio::task::JoinHandle;

use super::host::{DEAD_ADDR, Host, Mood, NAMES, client_addr, mx};
use super::journal::Journal;
use super::network::{Network, Sky};
use super::remains::Death;
use super::{Sim, between, fork};

/// One task for each thing that can fail. They end with everything well.
pub(super) fn start(sim: &Sim, rng: &mut SmallRng) -> Vec<JoinHandle<anyhow::Result<()>>> {
    let weather = |rng: &mut SmallRng| Weather {
        clock: sim.clock.clone(),
        journal: sim.journal.clone(),
        clear: sim.clear,
        rng: fork(rng),
    };
    let mut tasks = Vec::new();
    for (number, host) in (0..).zip(&sim.hosts) {
        sim.network.set_sky(host.addr, DEAD_ADDR, Sky::Silent);
        let mut ends = vec![client_addr(number)];
        ends.extend(
            sim.hosts[usize::from(number) + 1..]
                .iter()
                .map(|other| other.addr),
        );
        for end in ends {
            let link = weather(rng).link(sim.network.clone(), host.addr, end);
            tasks.push(tokio::spawn(link));
        }
        tasks.push(tokio::spawn(weather(rng).names(Arc::clone(host))));
        tasks.push(tokio::spawn(weather(rng).power(Arc::clone(host))));
        tasks.push(tokio::spawn(weather(rng).disk(Arc::clone(host))));
    }
    tasks
}

struct Weather {
    clock: Clock,
    journal: Journal,
    clear: Timestamp,
    rng: SmallRng,
}

impl Weather {
    async fn link(mut self, network: Network, one: IpAddr, other: IpAddr) -> anyhow::Result<()> {
        while self
            .pause(Duration::from_mins(1), Duration::from_hours(3))
            .await
        {
            let sky = SKIES.choose(&mut self.rng).copied().unwrap_or(Sky::Fair);
            self.journal.note(&format!("{one} - {other}: {sky:?}"));
            network.set_sky(one, other, sky);
        }
        network.set_sky(one, other, Sky::Fair);
        Ok(())
    }

    /// One domain after the other is hard to find for this host.
    async fn names(mut self, host: Arc<Host>) -> anyhow::Result<()> {
        while self
            .pause(Duration::from_mins(30), Duration::from_hours(6))
            .await
        {
            let number = self.rng.random_range(0..3);
            let trouble = TROUBLES.choose(&mut self.rng).copied().unwrap_or_default();
            let name = NAMES[usize::from(number)];
            self.journal
                .note(&format!("MX {name} for {}: {trouble}", host.name));
            host.dns.set(&format!("MX {name} {trouble}"));
            self.pause(Duration::from_mins(1), Duration::from_hours(2))
                .await;
            host.dns.set(&mx(number));
        }
        Ok(())
    }

    /// The server ends: on its own or with its machine, in a quiet moment or in the middle of a step.
    async fn power(mut self, host: Arc<Host>) -> anyhow::Result<()> {
        while self
            .pause(Duration::from_mins(10), Duration::from_hours(10))
            .await
        {
            let death = if self.rng.random() {
                Death::Process
            } else {
                Death::Power
            };
            match self.rng.random_range(0..4) {
                0 => {}
                1 => self.promise(&host).await,
                _ => self.step(&host, death).await,
            }
            host.kill(death).await;
            self.journal
                .note(&format!("{} has ended: {death:?}", host.name));
            self.pause(Duration::ZERO, Duration::from_mins(40)).await;
            host.start_again().await?;
            self.journal.note(&format!("{} is there again", host.name));
        }
        Ok(())
    }

    /// Has the server end with some step of its disk, if that comes soon.
    async fn step(&mut self, host: &Arc<Host>, death: Death) {
        host.end_in(self.rng.random_range(0..STEPS_WITHIN), death);
        let until = self.clear.min(self.clock.now() + STEP_WAIT);
        tokio::select! {
            biased;
            () = host.ended.notified() => {
                self.journal.note(&format!("{} ends with a step of its disk", host.name));
            }
            () = self.clock.sleep_until(until) => {}
        }
    }

    /// Waits for the moment between a promise and its commit, which hardly any kill would hit by
    /// chance: then the next start has something to repeat.
    async fn promise(&self, host: &Host) {
        let until = self.clear.min(self.clock.now() + PROMISE_WAIT);
        while !host.store().is_ok_and(|store| store.is_ahead()) {
            tokio::select! {
                biased;
                () = host.promised.notified() => {}
                () = self.clock.sleep_until(until) => return,
            }
        }
    }

    /// The disk fails now and then, or is full.
    async fn disk(mut self, host: Arc<Host>) -> anyhow::Result<()> {
        while self
            .pause(Duration::from_mins(10), Duration::from_hours(6))
            .await
        {
            let mood = self.mood();
            self.journal
                .note(&format!("the disk of {}: {mood:?}", host.name));
            host.set_mood(mood);
            self.pause(Duration::from_mins(1), Duration::from_hours(2))
                .await;
            host.set_mood(Mood::default());
            self.journal
                .note(&format!("the disk of {} is well", host.name));
        }
        Ok(())
    }

    fn mood(&mut self) -> Mood {
        let full = self.rng.random_range(0..3) == 0;
        let mut one_in = || match self.rng.random_range(0..3) {
            0 => 0,
            _ => self.rng.random_range(2..50),
        };
        let odds = Odds {
            write: one_in(),
            sync: one_in(),
            folder: one_in(),
        };
        match full {
            true => Mood {
                full,
                odds: Odds::default(),
            },
            false => Mood { full, odds },
        }
    }

    /// Waits a while; false when the weather has cleared by then.
    async fn pause(&mut self, least: Duration, most: Duration) -> bool {
        let until = self.clock.now() + between(&mut self.rng, least, most);
        self.clock.sleep_until(until.min(self.clear)).await;
        self.clock.now() < self.clear
    }
}

const SKIES: [Sky; 8] = [
    Sky::Fair,
    Sky::Fair,
    Sky::Slow,
    Sky::Slow,
    Sky::Breaking,
    Sky::Breaking,
    Sky::Silent,
    Sky::Refusing,
];
const PROMISE_WAIT: Duration = Duration::from_mins(30);
/// A message that comes in and goes on makes about as many steps.
const STEPS_WITHIN: u64 = 40;
const STEP_WAIT: Duration = Duration::from_hours(1);
const TROUBLES: [&str; 4] = ["!servfail", "!timeout", "!refused", "!malformed"];
