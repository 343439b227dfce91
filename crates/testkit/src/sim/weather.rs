//! What fails, and when it is well again: links, names, servers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mailtypes::Timestamp;
use net::Clock;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use tokio::task::JoinHandle;

use super::host::{DEAD_ADDR, Host, NAMES, client_addr, mx};
use super::journal::Journal;
use super::network::{Network, Sky};
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

    async fn power(mut self, host: Arc<Host>) -> anyhow::Result<()> {
        while self
            .pause(Duration::from_mins(10), Duration::from_hours(10))
            .await
        {
            if self.rng.random() {
                self.promise(&host).await;
            }
            self.journal.note(&format!("{} is killed", host.name));
            host.kill().await;
            self.pause(Duration::ZERO, Duration::from_mins(40)).await;
            host.start_again().await?;
            self.journal.note(&format!("{} is there again", host.name));
        }
        Ok(())
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
const TROUBLES: [&str; 4] = ["!servfail", "!timeout", "!refused", "!malformed"];
