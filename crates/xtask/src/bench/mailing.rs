//! A load that `smtp-source` cannot make: at a constant rate, or to many mailboxes, with the time of each 250.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::load::Connections;
use super::session::{self, Session};
use crate::process;

/// So many messages of one size over so many sessions, each with one recipient.
pub(super) struct Mailing<'a> {
    pub(super) port: u16,
    pub(super) sessions: u32,
    pub(super) messages: u64,
    /// Of one message.
    pub(super) octets: usize,
    pub(super) connections: Connections,
    /// Messages per second; without it, as many as the server takes.
    pub(super) rate: Option<f64>,
    /// The recipient of the message of that number.
    pub(super) to: &'a (dyn Fn(u64) -> String + Sync),
}

/// A message that has its 250.
pub(super) struct Sent {
    pub(super) number: u64,
    /// When it was to be sent, however busy the sessions were. Without a rate, when it was.
    pub(super) due: Instant,
    pub(super) answered: Instant,
    /// The text of the 250.
    pub(super) reply: String,
}

impl Mailing<'_> {
    /// Sends all of them. A single refusal is an error.
    pub(super) fn send(&self) -> anyhow::Result<Vec<Sent>> {
        let start = process::now();
        let next = AtomicU64::new(0);
        let message = session::message(self.octets);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.sessions)
                .map(|_| scope.spawn(|| self.take_turns(&next, start, &message)))
                .collect();
            let mut sent = Vec::new();
            for thread in threads {
                let of_one = thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a sender panicked"))?;
                sent.extend(of_one.context("sending")?);
            }
            Ok(sent)
        })
    }

    /// One session: whoever is free takes the next message.
    fn take_turns(
        &self,
        next: &AtomicU64,
        start: Instant,
        message: &[u8],
    ) -> anyhow::Result<Vec<Sent>> {
        let mut sent = Vec::new();
        let mut kept = None;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.messages {
                break;
            }
            let due = self.wait_for_turn(number, start);
            let mut session = match kept.take() {
                Some(session) => session,
                None => Session::open(self.port)?,
            };
            let reply = session.deliver(&(self.to)(number), message)?;
            let answered = process::now();
            sent.push(Sent {
                number,
                due,
                answered,
                reply,
            });
            match self.connections {
                Connections::Kept => kept = Some(session),
                Connections::New => session.quit()?,
            }
        }
        kept.map_or(Ok(()), Session::quit)?;
        Ok(sent)
    }

    /// Sleeps until the message is due, when it is not yet.
    fn wait_for_turn(&self, number: u64, start: Instant) -> Instant {
        let Some(rate) = self.rate else {
            return process::now();
        };
        let due = start + Duration::from_secs_f64(number as f64 / rate);
        std::thread::sleep(due.saturating_duration_since(process::now()));
        due
    }
}

/// From the first message until the last 250.
pub(super) fn took(sent: &[Sent]) -> Duration {
    let first = sent.iter().map(|one| one.due).min();
    let last = sent.iter().map(|one| one.answered).max();
    match (first, last) {
        (Some(first), Some(last)) => last - first,
        _ => Duration::ZERO,
    }
}
