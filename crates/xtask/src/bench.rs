//! `cargo xtask bench accept [--quick]`: messages accepted per second, each durable before its 250.
//! `cargo xtask bench relay [--quick]`: messages passed on to another host, end to end.
//!
//! The machine is shared, so single numbers mean little: the peers take turns within each round,
//! the table gives medians, and ratios to peers measured in the same minutes are what counts.
//! `smtp-sink`, which stores nothing, is the ceiling of the generator.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::{lab, process};

mod load;
mod median;
mod peer;
mod postfix;
mod relay;
mod table;
mod usage;

use load::{Connections, Load};
use peer::Peer;
pub(crate) use relay::relay;
use usage::Usage;

/// Rounds of the full form; medians of fewer than five hide nothing.
const ROUNDS: usize = 5;
/// What one load may send, in octets, so that no case takes minutes.
const OCTETS_MAX: u64 = 100 * 1024 * 1024;
/// And in messages.
const MESSAGES_MAX: u64 = 4_000;
/// How long a peer may take to finish its deliveries after a load.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// Prints a table for `docs/benchmarks.md`.
pub(crate) fn accept(options: &[&str]) -> anyhow::Result<bool> {
    let quick = is_quick(options)?;
    let folder = empty_folder()?;
    let mut peers = vec![peer::sink()?, peer::postrider(&folder, peer::free_port()?)?];
    match postfix::start(&folder, peer::free_port()?) {
        Ok(postfix) => peers.push(postfix),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = if quick { 1 } else { ROUNDS };
    let mut rows = Vec::new();
    for load in loads(quick) {
        println!("{load}, {} messages, {rounds} rounds", load.messages);
        rows.push(measure(&load, &peers, rounds)?);
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
    println!("\n{}", table::render("accepted/s", &names, &rows));
    Ok(true)
}

fn is_quick(options: &[&str]) -> anyhow::Result<bool> {
    match options {
        [] => Ok(false),
        ["--quick"] => Ok(true),
        other => anyhow::bail!("unknown options {other:?}; there is only --quick"),
    }
}

/// The folder of this run, with the generator at hand.
fn empty_folder() -> anyhow::Result<PathBuf> {
    if lab::find("smtp-source").is_none() {
        lab::unpack_tools()?;
    }
    let folder = process::target_folder().join("bench");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("removing the last bench folder")?;
    }
    std::fs::create_dir_all(&folder).context("creating target/bench")?;
    Ok(folder)
}

/// Every load there is; the quick form sends a quarter.
fn loads(quick: bool) -> Vec<Load> {
    let mut loads = Vec::new();
    for octets in [4 * 1024, 50 * 1024] {
        for sessions in [20, 100] {
            for connections in [Connections::New, Connections::Kept] {
                let messages = (OCTETS_MAX / octets).min(MESSAGES_MAX);
                let messages = if quick { messages / 4 } else { messages };
                loads.push(Load {
                    sessions,
                    octets,
                    connections,
                    messages,
                });
            }
        }
    }
    loads
}

/// One row: the results of each peer over all rounds, the peers taking turns.
struct Row {
    load: Load,
    results: Vec<Vec<Sample>>,
}

/// What one load cost one peer.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    per_second: f64,
    cpu_per_1000: f64,
    memory_mib: f64,
    written_per_octet: f64,
}

fn measure(load: &Load, peers: &[Peer], rounds: usize) -> anyhow::Result<Row> {
    let mut results = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for (peer, samples) in peers.iter().zip(&mut results) {
            samples.push(sample(load, peer)?);
        }
    }
    Ok(Row {
        load: load.clone(),
        results,
    })
}

fn sample(load: &Load, peer: &Peer) -> anyhow::Result<Sample> {
    let before = peer.usage();
    let took = load
        .send(peer.port, "alice@example.test")
        .with_context(|| format!("loading {}", peer.name))?;
    let after = peer.settled_usage(SETTLE_MAX);
    Ok(Sample::of(load, took, &before, &after))
}

impl Sample {
    fn of(load: &Load, took: Duration, before: &Usage, after: &Usage) -> Self {
        let messages = load.messages as f64;
        let octets = (load.messages * load.octets) as f64;
        Self {
            per_second: messages / took.as_secs_f64(),
            cpu_per_1000: (after.cpu_seconds - before.cpu_seconds) / messages * 1000.0,
            memory_mib: after.memory_kib as f64 / 1024.0,
            written_per_octet: after.written.saturating_sub(before.written) as f64 / octets,
        }
    }
}
