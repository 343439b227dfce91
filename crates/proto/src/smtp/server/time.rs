//! How long a client may take.

use std::time::Duration;

use mailtypes::Timestamp;

use super::{Phase, Server, texts};
use crate::smtp::Settings;
use crate::smtp::limits::BODY_PACE_MIN;

impl Server {
    /// When to call [`timed_out`](Self::timed_out). While the caller owes an answer there is no
    /// such time: it is not the client that we wait for.
    pub fn deadline(&self) -> Timestamp {
        if self.pending.is_some() {
            return NEVER;
        }
        match &self.phase {
            Phase::Commands(_) => self.command_until().min(self.session_until()),
            Phase::Body { until, .. } => self.session_until().min(*until),
            Phase::Closing { .. } => NEVER,
        }
    }

    /// The deadline has passed: says goodbye and closes. Does nothing when it has not.
    // RFC 5321 §4.5.3.2, RFC 3463 §3.5
    pub fn timed_out(&mut self, now: Timestamp) {
        if now < self.deadline() || self.deadline() == NEVER {
            return;
        }
        let what = match &self.phase {
            _ if now >= self.session_until() => {
                format!(
                    "The session took longer than {}",
                    span(self.settings.session_timeout)
                )
            }
            Phase::Body { .. } => {
                let limit = span(self.settings.body_timeout);
                format!("The message came too slowly: {limit} of waiting were used up")
            }
            Phase::Commands(_) | Phase::Closing { .. } => {
                format!("No command for {}", span(self.settings.command_timeout))
            }
        };
        self.hang_up(texts::timed_out(&what));
    }

    /// Called with each input, before it is looked at.
    pub(super) fn note_time(&mut self, now: Timestamp) {
        match &mut self.phase {
            // Within a line the time runs from its first octet: dribbling gains nothing.
            Phase::Commands(line) if line.is_empty() => self.waiting_since = now,
            Phase::Body {
                received: 0, until, ..
            } => *until = now + self.settings.body_timeout,
            Phase::Commands(_) | Phase::Body { .. } | Phase::Closing { .. } => {}
        }
    }

    fn command_until(&self) -> Timestamp {
        self.waiting_since + self.settings.command_timeout
    }

    fn session_until(&self) -> Timestamp {
        self.started + self.settings.session_timeout
    }
}

/// The deadline of a body after `octets` came: each buys time at the slowest pace that we put up
/// with, but a wait is never longer than the timeout. So both silence and dribbling end it.
pub(super) fn extended(until: Timestamp, octets: u64, now: Timestamp, s: &Settings) -> Timestamp {
    let bought = Duration::from_millis(octets.saturating_mul(1000) / BODY_PACE_MIN);
    (until + bought).min(now + s.body_timeout)
}

/// A span of time for people.
fn span(time: Duration) -> String {
    match time.as_secs() {
        secs if secs >= 60 && secs.is_multiple_of(60) => format!("{} min", secs / 60),
        secs => format!("{secs} s"),
    }
}

const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);
