//! `cargo xtask bench relay`: from `smtp-source` through a server to `smtp-sink`, until the last message
//! has arrived there. The ceiling is the generator straight into the sink.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::Context;

use super::form::Form;
use super::load::{self, Connections, Load};
use super::peer::{self, Peer};
use super::table::{self, Row, Sample};
use super::usage::{self, Usage};
use super::{ROUNDS, SETTLE_MAX, empty_folder, postfix, postrider};
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
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
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
            server: Some(postrider::relaying(&folder, form, ours)?.peer),
            next: ours,
        },
    ];
    match postfix::start(&folder, theirs, postfix::PROCESSES) {
        Ok(postfix) => ways.push(Way {
            name: "Postfix",
            server: Some(postfix),
            next: theirs,
        }),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = form.choose(ROUNDS, 1);
    let mut rows = Vec::new();
    for load in load::all(form) {
        println!("{load}, {} messages, {rounds} rounds", load.messages);
        let mut results = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for (way, samples) in ways.iter().zip(&mut results) {
                let sample = sample(&load, way).with_context(|| format!("through {}", way.name))?;
                samples.push(sample);
            }
        }
        let label = load.to_string();
        rows.push(Row { label, results });
    }
    let names: Vec<&str> = ways.iter().map(|way| way.name).collect();
    println!("\n{}", table::render("relayed/s", &names, &rows));
    Ok(true)
}

/// `cargo xtask bench through SERVER SINK TO MESSAGES`: the seconds that so much new mail takes through a
/// running server on the port SERVER, which passes on what is for TO to the port SINK.
pub(super) fn through(words: &[&str]) -> anyhow::Result<bool> {
    let [server, next, to, messages] = words else {
        anyhow::bail!("bench through SERVER SINK TO MESSAGES");
    };
    let load = Load {
        sessions: 20,
        octets: 4096,
        connections: Connections::Kept,
        messages: messages.parse()?,
    };
    let took = pass(&load, server.parse()?, next.parse()?, to)?.took;
    println!("{}", took.as_secs_f64());
    Ok(true)
}

/// What it takes until the sink has the last message.
struct Passage {
    took: Duration,
    /// CPU seconds of the generator and the sink.
    ends: f64,
}

fn pass(load: &Load, port: u16, next: u16, to: &str) -> anyhow::Result<Passage> {
    let sink = Sink::start(next, load.messages)?;
    let (start, before) = (process::now(), usage::of_ended_children());
    load.send(port, to)?;
    sink.wait()?;
    let took = start.elapsed();
    let generator = usage::of_ended_children() - before;
    let ends = generator + usage::of_tree(sink.process.id()).cpu_seconds;
    Ok(Passage { took, ends })
}

/// Without a server, CPU seconds are those of the generator and the sink.
fn sample(load: &Load, way: &Way) -> anyhow::Result<Sample> {
    let before = way.server.as_ref().map(Peer::usage);
    let port = way.server.as_ref().map_or(way.next, |server| server.port);
    let Passage { took, ends } = pass(load, port, way.next, "alice@sink.test")?;
    let after = match &way.server {
        Some(server) => server.settled_usage(SETTLE_MAX),
        None => Usage {
            cpu_seconds: ends,
            ..Usage::default()
        },
    };
    Ok(Sample::of(
        load.messages,
        load.octets,
        took,
        &before.unwrap_or_default(),
        &after,
    ))
}

/// An `smtp-sink`, and the word that it has all.
struct Sink {
    process: Child,
    all: Receiver<()>,
}

impl Sink {
    fn start(port: u16, messages: u64) -> anyhow::Result<Self> {
        // Counters on its stdout.
        let mut process = peer::sink_command(port, &["-c"])?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting smtp-sink")?;
        let counters = process.stdout.take().context("smtp-sink has no output")?;
        let (has_all, all) = mpsc::channel();
        std::thread::spawn(move || {
            if count(counters, messages) {
                // Nobody may be waiting any more.
                let _ = has_all.send(());
            }
        });
        let sink = Self { process, all };
        let start = process::now();
        while !peer::greets(port) {
            anyhow::ensure!(start.elapsed() < ARRIVAL_MAX, "smtp-sink does not greet");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sink)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let all = self.all.recv_timeout(ARRIVAL_MAX);
        all.context("not all messages have arrived at smtp-sink")
    }
}

/// Reads `sess=… quit=… mesg=…`, each time with a CR behind it, until there are so many messages.
fn count(counters: impl Read, messages: u64) -> bool {
    for line in BufReader::new(counters).split(b'\r') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line);
        let seen = line
            .rsplit_once("mesg=")
            .and_then(|(_, n)| n.trim().parse().ok());
        if seen.is_some_and(|seen: u64| seen >= messages) {
            return true;
        }
    }
    false
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn the_sink_counts() {
        let told = b"sess=1 quit=0 mesg=1\rsess=1 quit=0 mesg=2\r";
        assert!(count(&told[..], 2));
        assert!(!count(&told[..], 3));
    }
}
