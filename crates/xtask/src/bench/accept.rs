//! `cargo xtask bench accept`: messages accepted per second, each durable before its 250.
//!
//! `smtp-sink`, which stores nothing, is the ceiling of the generator.

use anyhow::Context;

use super::form::Form;
use super::load::{self, Load, Pace};
use super::peer::{self, Peer};
use super::table::{self, Row, Sample};
use super::{SETTLE_MAX, empty_folder, postfix, postrider};

/// Prints a table for `docs/benchmarks.md`.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let folder = empty_folder()?;
    let ours = postrider::relaying(&folder, form, peer::free_port()?)?.peer;
    let mut peers = vec![(peer::sink()?, Pace::Fast), (ours, Pace::Fast)];
    match postfix::start(&folder, peer::free_port()?, postfix::PROCESSES) {
        Ok(postfix) => peers.push((postfix, Pace::Slow)),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = form.choose(super::ROUNDS, 1);
    let mut rows = Vec::new();
    for load in load::all(form) {
        println!("{load}, {}, {rounds} rounds", load.counts());
        rows.push(measure(&load, &peers, rounds)?);
    }
    let names: Vec<&str> = peers.iter().map(|(peer, _)| peer.name).collect();
    println!("\n{}", table::render("accepted/s", &names, &rows));
    Ok(true)
}

fn measure(load: &Load, peers: &[(Peer, Pace)], rounds: usize) -> anyhow::Result<Row> {
    let mut results = vec![Vec::new(); peers.len()];
    for _ in 0..rounds {
        for ((peer, pace), samples) in peers.iter().zip(&mut results) {
            samples.push(sample(&load.for_pace(*pace), peer)?);
        }
    }
    Ok(Row {
        label: load.to_string(),
        results,
    })
}

fn sample(load: &Load, peer: &Peer) -> anyhow::Result<Sample> {
    let before = peer.usage();
    let took = load
        .send(peer.port, "alice@example.test")
        .with_context(|| format!("loading {}", peer.name))?;
    let after = peer.settled_usage(SETTLE_MAX);
    Ok(Sample::of(
        load.messages,
        load.octets,
        took,
        &before,
        &after,
    ))
}
