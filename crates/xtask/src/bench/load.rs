//! One load: `smtp-source` with so many messages of one size over so many sessions.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;

use super::form::Form;
use crate::{lab, process};

/// Bounded in count. A slow peer is sent fewer, so that a round takes some seconds for each.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) sessions: u32,
    /// Of one message.
    pub(super) octets: u64,
    pub(super) connections: Connections,
    pub(super) messages: u64,
}

/// Whether each message comes over a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connections {
    New,
    Kept,
}

/// How fast a peer is, roughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Slow,
    Fast,
}

impl Load {
    /// The same, as much as a peer of that pace is sent.
    pub(super) fn for_pace(&self, pace: Pace) -> Self {
        let times = match pace {
            Pace::Slow => 1,
            Pace::Fast => FAST_TIMES,
        };
        Self {
            messages: self.messages * times,
            ..self.clone()
        }
    }

    /// How many messages, for people.
    pub(super) fn counts(&self) -> String {
        let fast = self.for_pace(Pace::Fast).messages;
        format!("{} messages ({fast} for whoever is fast)", self.messages)
    }

    /// How long the generator took until the last message had its 250.
    pub(super) fn send(&self, port: u16, to: &str) -> anyhow::Result<Duration> {
        let mut source = lab::command("smtp-source")?;
        source.args([
            "-s",
            &self.sessions.to_string(),
            "-m",
            &self.messages.to_string(),
        ]);
        source.args([
            "-l",
            &self.octets.to_string(),
            "-f",
            "load@client.example.net",
        ]);
        source.args(["-t", to]);
        if self.connections == Connections::Kept {
            source.arg("-d");
        }
        source
            .arg(format!("127.0.0.1:{port}"))
            .stdout(Stdio::null());
        let start = process::now();
        let done = source.output().context("starting smtp-source")?;
        let took = start.elapsed();
        let said = String::from_utf8_lossy(&done.stderr);
        // It says `fatal:` for a refused message and ends with 1.
        anyhow::ensure!(done.status.success(), "smtp-source: {}", said.trim());
        Ok(took)
    }
}

/// Every load there is; the quick form sends a quarter.
pub(super) fn all(form: Form) -> Vec<Load> {
    let mut loads = Vec::new();
    for octets in [4 * 1024, 50 * 1024] {
        for sessions in [20, 100] {
            for connections in [Connections::New, Connections::Kept] {
                let messages = (OCTETS_MAX / octets).min(MESSAGES_MAX);
                let messages = form.choose(messages, messages / 4);
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

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} KiB, {} sessions, {}",
            self.octets / 1024,
            self.sessions,
            self.connections
        )
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new connections",
            Self::Kept => "kept connections",
        })
    }
}

/// What one load may send, in octets, so that no case takes minutes.
const OCTETS_MAX: u64 = 100 * 1024 * 1024;
/// And in messages.
const MESSAGES_MAX: u64 = 4_000;
/// So much more for whoever is fast: four thousand would be over in less than a second.
const FAST_TIMES: u64 = 4;
