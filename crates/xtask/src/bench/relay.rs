//! `cargo xtask bench relay`: from `smtp-source` through a server to `smtp-sink`, until the last message
//! has arrived there. The ceiling is the generator straight into the sink.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::form::Form;
use super::load::{self, Connections, Load, Pace};
use super::peer::{self, Peer};
use super::table::{self, Row, Sample};
use super::usage::{self, Usage};
use super::{ROUNDS, SETTLE_MAX, arrivals, empty_folder, postfix, postrider};
use crate::process;

/// How long the sink may take until it greets.
const GREETING_MAX: Duration = Duration::from_secs(20);
/// Between two looks at what the sink has counted.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A server and the port to which it passes mail on; without a server, the ceiling.
struct Way {
    name: &'static str,
    server: Option<Peer>,
    next: u16,
    pace: Pace,
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
            pace: Pace::Fast,
        },
        Way {
            name: "Postrider",
            server: Some(postrider::relaying(&folder, form, ours)?.peer),
            next: ours,
            pace: Pace::Fast,
        },
    ];
    match postfix::start(&folder, theirs, postfix::PROCESSES) {
        Ok(postfix) => ways.push(Way {
            name: "Postfix",
            server: Some(postfix),
            next: theirs,
            pace: Pace::Slow,
        }),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    let rounds = form.choose(ROUNDS, 1);
    let mut rows = Vec::new();
    for load in load::all(form) {
        println!("{load}, {}, {rounds} rounds", load.counts());
        let mut results = vec![Vec::new(); ways.len()];
        for _ in 0..rounds {
            for (way, samples) in ways.iter().zip(&mut results) {
                let sample = sample(&load.for_pace(way.pace), way);
                samples.push(sample.with_context(|| format!("through {}", way.name))?);
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

/// An `smtp-sink` that counts into a file: whoever read along would take part in the load.
struct Sink {
    process: Child,
    messages: u64,
    path: PathBuf,
    counters: File,
}

impl Sink {
    fn start(port: u16, messages: u64) -> anyhow::Result<Self> {
        let folder = process::target_folder().join("tmp");
        std::fs::create_dir_all(&folder).context("creating target/tmp")?;
        let path = folder.join(format!("sink-{port}"));
        let output = File::create(&path).context("creating the counters of smtp-sink")?;
        let counters = File::open(&path).context("opening the counters of smtp-sink")?;
        let process = peer::sink_command(port, &["-c"])?
            .stdin(Stdio::null())
            .stdout(output)
            .spawn()
            .context("starting smtp-sink")?;
        let sink = Self {
            process,
            messages,
            path,
            counters,
        };
        let start = process::now();
        while !peer::greets(port) {
            anyhow::ensure!(start.elapsed() < GREETING_MAX, "smtp-sink does not greet");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(sink)
    }

    fn wait(&self) -> anyhow::Result<()> {
        let all = usize::try_from(self.messages)?;
        arrivals::wait_for(all, LOOK_EVERY, || self.count().unwrap_or(0)).context("at smtp-sink")
    }

    fn count(&self) -> Option<usize> {
        let len = self.counters.metadata().ok()?.len();
        let mut end = [0; 128];
        let from = len.saturating_sub(end.len() as u64);
        let got = self.counters.read_at(&mut end, from).ok()?;
        counted(&end[..got])
    }
}

/// The messages in the last of `sess=… quit=… mesg=…`, each with a CR behind it.
fn counted(told: &[u8]) -> Option<usize> {
    let told = String::from_utf8_lossy(told);
    let (whole, _) = told.rsplit_once('\r')?;
    let (_, count) = whole.rsplit_once("mesg=")?;
    count.trim().parse().ok()
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn the_sink_counts() {
        assert_eq!(counted(b""), None);
        assert_eq!(counted(b"sess=1 quit=0 mesg=1"), None);
        let told = b"esg=1\rsess=1 quit=0 mesg=7\rsess=1 quit=0 mesg=1";
        assert_eq!(counted(told), Some(7));
        assert_eq!(
            counted(b"sess=1 quit=0 mesg=1\rsess=1 quit=0 mesg=12\r"),
            Some(12)
        );
    }
}
