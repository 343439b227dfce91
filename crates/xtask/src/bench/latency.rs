//! `cargo xtask bench latency`: at a constant rate, how long until the final 250 and until delivery.
//!
//! The rate does not wait for the server (an open loop), and times count from when a message was due:
//! a server that stands still for a second is seen in all the messages of that second.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::arrivals::{self, Arrival, Arrivals};
use super::empty_folder;
use super::form::Form;
use super::load::Connections;
use super::mailing::{Mailing, Sent};
use super::percentile::percentile;
use super::postrider;
use super::sink::Sink;

/// Messages per second.
const RATE: f64 = 500.0;
/// Enough that a message finds a free session also while the server stands still for a moment.
const SESSIONS: u32 = 64;
/// Of one message.
const OCTETS: usize = 4096;
/// Before the measured ones, so that files and threads are there.
const WARM_UP: u64 = 250;
/// Of the final 250; 99 of 100 shall be below.
const AIM: Duration = Duration::from_millis(50);
/// Between two looks into the log: what a delivery into a mailbox may seem too late.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Prints a table for `docs/benchmarks.md`.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let folder = empty_folder()?;
    let sink = Sink::start()?;
    let server = postrider::relaying(&folder, form, sink.port)?;
    let port = server.peer.port;
    let mailboxes = arrivals::follow_log(&server.log, LOOK_EVERY)?;
    let to_mailbox = |_| "alice@example.test".to_owned();
    let to_sink = |number| format!("m{number}@sink.test");
    let messages = form.choose(15_000, 1_000);
    let mut rows = Vec::new();
    for connections in [Connections::Kept, Connections::New] {
        let case = |to| Case {
            port,
            connections,
            to,
        };
        println!("{messages} messages, {RATE} a second, {connections}");
        let (sent, arrived) = case(&to_mailbox).measure(messages, &mailboxes)?;
        let delivery = delays(&sent, arrived, |one| queue_id(&one.reply));
        rows.push(row(&format!("a mailbox, {connections}"), &sent, &delivery?));
        let (sent, arrived) = case(&to_sink).measure(messages, &sink.arrivals)?;
        let delivery = delays(&sent, arrived, |one| format!("m{}", one.number));
        rows.push(row(
            &format!("another host, {connections}"),
            &sent,
            &delivery?,
        ));
    }
    println!("\n{HEAD}\n{}", rows.join("\n"));
    Ok(true)
}

/// One kind of mail.
struct Case<'a> {
    port: u16,
    connections: Connections,
    to: &'a (dyn Fn(u64) -> String + Sync),
}

impl Case<'_> {
    /// So many messages behind a warm-up, and their arrivals.
    fn measure(
        &self,
        messages: u64,
        arrivals: &Arrivals,
    ) -> anyhow::Result<(Vec<Sent>, Vec<Arrival>)> {
        self.send(WARM_UP)?;
        arrivals.take(usize::try_from(WARM_UP)?)?;
        let sent = self.send(messages)?;
        let arrived = arrivals.take(usize::try_from(messages)?)?;
        Ok((sent, arrived))
    }

    fn send(&self, messages: u64) -> anyhow::Result<Vec<Sent>> {
        let mailing = Mailing {
            port: self.port,
            sessions: SESSIONS,
            messages,
            octets: OCTETS,
            connections: self.connections,
            rate: Some(RATE),
            to: self.to,
        };
        mailing.send()
    }
}

/// The ID of `250 2.0.0 Ok: queued as ID`.
fn queue_id(reply: &str) -> String {
    reply
        .split_whitespace()
        .last()
        .unwrap_or_default()
        .to_owned()
}

/// Milliseconds from when each message was due until it arrived under the name that `name` gives it.
fn delays(
    sent: &[Sent],
    arrived: Vec<Arrival>,
    name: impl Fn(&Sent) -> String,
) -> anyhow::Result<Vec<f64>> {
    let arrived: HashMap<String, Instant> = arrived.into_iter().collect();
    sent.iter()
        .map(|one| {
            let name = name(one);
            let at = arrived.get(&name);
            let at = at.with_context(|| format!("{name} has a 250 and did not arrive"))?;
            Ok(milliseconds(at.saturating_duration_since(one.due)))
        })
        .collect()
}

const HEAD: &str = "| to | 250: p50 ms | p99 | max | delivery: p50 ms | p99 | max | aim |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |";

fn row(to: &str, sent: &[Sent], delivery: &[f64]) -> String {
    let answers: Vec<f64> = sent
        .iter()
        .map(|one| milliseconds(one.answered.saturating_duration_since(one.due)))
        .collect();
    let met = percentile(99, answers.iter().copied()) < milliseconds(AIM);
    let verdict = if met { "met" } else { "missed" };
    format!(
        "| {to} | {} | {} | {verdict} |",
        three(&answers),
        three(delivery)
    )
}

fn three(values: &[f64]) -> String {
    let at = |percent| format!("{:.1}", percentile(percent, values.iter().copied()));
    [at(50), at(99), at(100)].join(" | ")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    fn sent(number: u64, due: Instant, after: u64) -> Sent {
        Sent {
            number,
            due,
            answered: due + Duration::from_millis(after),
            reply: format!("250 2.0.0 Ok: queued as ID{number}"),
        }
    }

    #[test]
    fn delays_count_from_when_a_message_was_due() {
        let due = process::now();
        let all = [sent(1, due, 3), sent(2, due, 7)];
        let later = |milliseconds| due + Duration::from_millis(milliseconds);
        let arrived = vec![("ID2".to_owned(), later(20)), ("ID1".to_owned(), later(10))];
        let found = delays(&all, arrived, |one| queue_id(&one.reply)).unwrap();
        assert_eq!(three(&found), "10.0 | 20.0 | 20.0");
        let missing = vec![("ID2".to_owned(), later(20))];
        assert!(delays(&all, missing, |one| queue_id(&one.reply)).is_err());
    }

    #[test]
    fn the_aim_is_for_the_final_250() {
        let due = process::now();
        let line = row("x", &[sent(1, due, 49)], &[80.0]);
        assert_eq!(
            line,
            "| x | 49.0 | 49.0 | 49.0 | 80.0 | 80.0 | 80.0 | met |"
        );
        assert!(row("x", &[sent(1, due, 50)], &[80.0]).ends_with("missed |"));
    }
}
