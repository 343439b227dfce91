//! Mail into a hundred mailboxes without an end, looked at each time the store is ten times as large.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::super::arrivals::{self, Arrivals};
use super::super::form::Form;
use super::super::load::Connections;
use super::super::mailing::{self, Mailing};
use super::super::postrider::{FILES_MAX, LOOPBACK, Postrider};
use super::super::users::{USERS_MAX, address, users};
use super::super::{SETTLE_MAX, empty_folder};
use crate::process;

const SESSIONS: u32 = 20;
/// Of one message.
const OCTETS: usize = 1024;
/// Between two looks into the log.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Sent before the first stage, so that no stage pays for a cold start.
const WARM_UP: u64 = 500;

/// What the messages from one size to the next have cost.
pub(super) struct Stage {
    /// In the store at the end of the stage.
    pub(super) total: u64,
    /// That came in it.
    pub(super) messages: u64,
    /// Until the last 250.
    pub(super) accepted: Duration,
    /// Until the last one was in its mailbox.
    pub(super) delivered: Duration,
    pub(super) cpu_seconds: f64,
    pub(super) memory_mib: f64,
    /// Octets that the store takes at the end.
    pub(super) disk: u64,
}

/// The stages that end at so many messages behind the warm-up.
pub(super) fn measure(form: Form, sizes: &[u64]) -> anyhow::Result<Vec<Stage>> {
    let folder = empty_folder()?;
    let server = Postrider::start(&folder, form, LOOPBACK, FILES_MAX)?;
    for user in users(USERS_MAX) {
        server.add_account(&format!("{user}@example.test"))?;
    }
    let told = arrivals::follow_log(&server.log, LOOK_EVERY)?;
    send(&server, &told, WARM_UP)?;
    let mut stages = Vec::new();
    let mut total = WARM_UP;
    for size in sizes {
        let end = WARM_UP + size;
        println!("up to {end} messages");
        let messages = end - total;
        let before = server.peer.usage();
        let (accepted, delivered) = send(&server, &told, messages)?;
        let after = server.peer.settled_usage(SETTLE_MAX);
        total = end;
        stages.push(Stage {
            total,
            messages,
            accepted,
            delivered,
            cpu_seconds: after.cpu_seconds - before.cpu_seconds,
            memory_mib: after.memory_kib as f64 / 1024.0,
            disk: disk_use(&folder.join("postrider"))?,
        });
    }
    Ok(stages)
}

/// How long until the last 250, and until the last one is in its mailbox.
fn send(
    server: &Postrider,
    told: &Arrivals,
    messages: u64,
) -> anyhow::Result<(Duration, Duration)> {
    let mailing = Mailing {
        port: server.peer.port,
        sessions: SESSIONS,
        messages,
        octets: OCTETS,
        connections: Connections::Kept,
        rate: None,
        to: &|number| address(number, USERS_MAX),
    };
    let start = process::now();
    let accepted = mailing::took(&mailing.send()?);
    told.take(usize::try_from(messages)?)?;
    Ok((accepted, start.elapsed()))
}

/// Octets that the files of a folder take on the disk.
fn disk_use(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).context("measuring the store")? {
        let entry = entry?;
        // A file may be gone again; it counts as nothing.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        sum += if metadata.is_dir() {
            disk_use(&entry.path())?
        } else {
            std::os::unix::fs::MetadataExt::blocks(&metadata) * 512
        };
    }
    Ok(sum)
}
