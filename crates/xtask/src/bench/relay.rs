//! `cargo xtask bench relay`: from `smtp-source` through a server to `smtp-sink`, until the last message
//! has arrived there. The ceiling is the generator straight into the sink.

use std::process::Child;
use std::time::Duration;

use anyhow::Context;

use super::load::Load;
use super::peer::{self, Peer};
use super::usage::Usage;
use super::{ROUNDS, Row, SETTLE_MAX, Sample, empty_folder, is_quick, loads, postfix, table};
use crate::process;

/// How long the last message may take after the generator is done.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

/// A server and the port to which it passes mail on; without a server, the ceiling.
struct Way {
    name: &'static str,
    server: Option<Peer>,
    next: u16,
}

/// Prints a table for `docs/benchmarks.md`.
pub(crate) fn relay(options: &[&str]) -> anyhow::Result<bool> {
    let quick = is_quick(options)?;
    let folder = empty_folder()?;
    let (ours, theirs) = (peer::free_port()?, peer::free_port()?);
    let mut ways = vec![
        Way {
            name: "(no server)",
            server: None,
            next: peer::free_port()?,
        },
        Way {
            name: "Postrider",
            server: Some(peer::postrider(&folder, ours)?),
            next: ours,
        },
    ];
    match postfix::start(&folder, theirs) {
        Ok(postfix) => ways.push(Way {
            name: "Postfix",
            server: Some(postfix),
            next: theirs,
        }),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = if quick { 1 } else { ROUNDS };
    let mut rows = Vec::new();
    for load in loads(quick) {
        println!("{load}, {} messages, {rounds} rounds", load.messages);
        let mut results = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for (way, samples) in ways.iter().zip(&mut results) {
                let sample = sample(&load, way).with_context(|| format!("through {}", way.name))?;
                samples.push(sample);
            }
        }
        rows.push(Row { load, results });
    }
    let names: Vec<&str> = ways.iter().map(|way| way.name).collect();
    println!("\n{}", table::render("relayed/s", &names, &rows));
    Ok(true)
}

fn sample(load: &Load, way: &Way) -> anyhow::Result<Sample> {
    let mut sink = Sink::start(way.next, load.messages)?;
    let before = way.server.as_ref().map(Peer::usage);
    let port = way.server.as_ref().map_or(way.next, |server| server.port);
    let start = process::now();
    load.send(port, "alice@sink.test")?;
    sink.wait()?;
    let took = start.elapsed();
    let after = way
        .server
        .as_ref()
        .map(|server| server.settled_usage(SETTLE_MAX));
    let none = Usage::default;
    Ok(Sample::of(
        load,
        took,
        &before.unwrap_or_else(none),
        &after.unwrap_or_else(none),
    ))
}

/// An `smtp-sink` that ends when it has all.
struct Sink(Child);

impl Sink {
    fn start(port: u16, messages: u64) -> anyhow::Result<Self> {
        let child = peer::sink_command(port, Some(messages))?
            .stdin(std::process::Stdio::null())
            .spawn()
            .context("starting smtp-sink")?;
        let sink = Self(child);
        let start = process::now();
        while !peer::greets(port) {
            anyhow::ensure!(start.elapsed() < ARRIVAL_MAX, "smtp-sink does not greet");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sink)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let start = process::now();
        while self.0.try_wait()?.is_none() {
            anyhow::ensure!(
                start.elapsed() < ARRIVAL_MAX,
                "not all messages have arrived"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
