//! `cargo xtask bench idle`: what connections cost that have said EHLO and nothing more.
//!
//! The crowd is `tests/rigs/crowd.py`, which the rig `idle` uses too: a process of its own, so that the
//! descriptors counted are the server's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::form::Form;
use super::peer::Peer;
use super::postrider::{LOOPBACK, Postrider};
use super::session::{self, Session};
use super::usage::Usage;
use super::{empty_folder, peer, postfix};
use crate::process;

/// Descriptors that a server needs beside its connections, by a wide margin.
const FILES_BESIDE: usize = 1_000;

/// Prints a table for `docs/benchmarks.md`.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let folder = empty_folder()?;
    let ours = form.choose(10_000, 1_000);
    let settings = format!("connections_max = {}\n{LOOPBACK}", ours + 500);
    let server = Postrider::start(&folder, form, &settings, ours + FILES_BESIDE)?;
    server.add_account("alice@example.test")?;
    // How long the crowd is watched doing nothing.
    let watch = Duration::from_secs(form.choose(20, 1));
    let mut rows = vec![measure(&server.peer, ours, watch)?];
    drop(server);
    // A process for each connection: as many as for Postrider do not fit into this machine.
    let theirs = form.choose(1_000, 50);
    let processes = u32::try_from(theirs)? + 50;
    match postfix::start(&folder, peer::free_port()?, processes) {
        Ok(server) => rows.push(measure(&server, theirs, watch)?),
        Err(error) => println!("WITHOUT Postfix: {error:#}"),
    }
    println!("\n{HEAD}\n{}", rows.join("\n"));
    Ok(true)
}

const HEAD: &str = "| server | connections | resident KiB each | proportional KiB each | descriptors each | \
                    CPU of the silent ones, % | a message among them, ms |\n\
                    | --- | --- | --- | --- | --- | --- | --- |";

fn measure(server: &Peer, count: usize, watch: Duration) -> anyhow::Result<String> {
    println!("{}, {count} connections", server.name);
    // What a first message allocates is no cost of idleness.
    deliver(server)?;
    let before = server.settled_usage(super::SETTLE_MAX);
    let crowd = Crowd::gather(server.port, count)?;
    let among = server.settled_usage(super::SETTLE_MAX);
    std::thread::sleep(watch);
    let later = server.usage();
    let busy = (later.cpu_seconds - among.cpu_seconds) / watch.as_secs_f64();
    let took = deliver(server)?;
    drop(crowd);
    Ok(row(
        server.name,
        count,
        [&before, &among],
        [busy * 100.0, took.as_secs_f64() * 1000.0],
    ))
}

/// How long one message takes, with its connection.
fn deliver(server: &Peer) -> anyhow::Result<Duration> {
    let start = process::now();
    let mut session = Session::open(server.port)?;
    session.deliver("alice@example.test", &session::message(4096))?;
    session.quit()?;
    Ok(start.elapsed())
}

fn row(name: &str, count: usize, usages: [&Usage; 2], [busy, took]: [f64; 2]) -> String {
    let [before, among] = usages;
    let each = |before: u64, among: u64| among.saturating_sub(before) as f64 / count as f64;
    format!(
        "| {name} | {count} | {:.1} | {:.1} | {:.2} | {busy:.1} | {took:.1} |",
        each(before.resident_kib, among.resident_kib),
        each(before.memory_kib, among.memory_kib),
        each(before.descriptors as u64, among.descriptors as u64),
    )
}

/// Idle connections, closed when dropped.
struct Crowd(Child);

impl Crowd {
    fn gather(port: u16, count: usize) -> anyhow::Result<Self> {
        let mut command: Command = process::command("python3");
        command.args(["-B", "tests/rigs/crowd.py"]);
        command.args([port.to_string(), count.to_string()]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting python3")?;
        let mut crowd = Self(child);
        let output = crowd.0.stdout.take().context("the crowd has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let complete = line.trim() == format!("open {count}");
        anyhow::ensure!(complete, "not all of {count} are greeted: {}", line.trim());
        Ok(crowd)
    }
}

impl Drop for Crowd {
    /// It ends with its input.
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_differences() {
        let usage = |kib, descriptors| Usage {
            memory_kib: kib,
            resident_kib: kib + 10,
            descriptors,
            ..Usage::default()
        };
        let usages = [&usage(100, 20), &usage(900, 120)];
        assert_eq!(
            row("x", 100, usages, [0.5, 3.0]),
            "| x | 100 | 8.0 | 8.0 | 1.00 | 0.5 | 3.0 |"
        );
    }
}
