//! When messages arrived: told by the log of Postrider, by Maildirs, or by a sink of our own.
//!
//! The log says `delivered` behind the transaction that put a message into its mailbox, so the line is
//! never early. Reading it behind the server disturbs less than asking the server.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::process;

/// How long nothing may arrive while something is still awaited.
const STANDSTILL_MAX: Duration = Duration::from_secs(120);

/// Which message (by what the teller knows it), and when.
pub(super) type Arrival = (String, Instant);

/// Arrivals as they are told.
#[derive(Clone, Default)]
pub(super) struct Arrivals(Arc<Mutex<Vec<Arrival>>>);

impl Arrivals {
    pub(super) fn note(&self, what: String) {
        let now = process::now();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((what, now));
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits for so many and takes them away.
    pub(super) fn take(&self, count: usize) -> anyhow::Result<Vec<Arrival>> {
        wait_for(count, Duration::from_millis(5), || self.count())?;
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *list))
    }
}

/// Looks again and again until there are so many; an error when their number stands still for long.
pub(super) fn wait_for(
    count: usize,
    every: Duration,
    mut seen: impl FnMut() -> usize,
) -> anyhow::Result<()> {
    let (mut last, mut moved) = (0, process::now());
    loop {
        let now = seen();
        if now >= count {
            return Ok(());
        }
        if now > last {
            (last, moved) = (now, process::now());
        }
        anyhow::ensure!(
            moved.elapsed() < STANDSTILL_MAX,
            "{now} of {count} messages have arrived, and no more come"
        );
        std::thread::sleep(every);
    }
}

/// Follows a log from its present end and notes the queue id of each delivery into a mailbox; looks `every` so long.
///
/// The thread ends with this process: a log has no end.
pub(super) fn follow_log(path: &Path, every: Duration) -> anyhow::Result<Arrivals> {
    let mut file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
    let arrivals = Arrivals::default();
    let noted = arrivals.clone();
    std::thread::spawn(move || {
        let mut log = BufReader::new(file);
        let mut line = Vec::new();
        // At the end of the file the rest of a line is still to come.
        while log.read_until(b'\n', &mut line).is_ok() {
            if line.ends_with(b"\n") {
                if let Some(id) = delivered_id(&String::from_utf8_lossy(&line)) {
                    noted.note(id.to_owned());
                }
                line.clear();
            } else {
                std::thread::sleep(every);
            }
        }
    });
    Ok(arrivals)
}

/// The queue id of `… mail: delivered id=ID to=… account=…`: without an account it went to another host.
fn delivered_id(line: &str) -> Option<&str> {
    let (_, fields) = line.split_once(" mail: delivered ")?;
    let fields = fields.split_once(" account=").map(|(front, _)| front)?;
    fields.strip_prefix("id=")?.split_whitespace().next()
}

/// The Maildirs below a folder: how many letters they hold, and away with them.
pub(super) struct Maildirs(pub(super) PathBuf);

impl Maildirs {
    pub(super) fn count(&self) -> usize {
        self.letters().count()
    }

    pub(super) fn empty(&self) -> anyhow::Result<()> {
        for letter in self.letters() {
            std::fs::remove_file(&letter).context("emptying a Maildir")?;
        }
        Ok(())
    }

    fn letters(&self) -> impl Iterator<Item = PathBuf> {
        let entries = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries(self.0.clone())
            .flat_map(move |maildir| entries(maildir.path().join("new")))
            .map(|letter| letter.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_in_the_log() {
        let line =
            "2026-11-29T08:00:00.000000Z  INFO mail: delivered id=38GA to=a@b.example account=1";
        assert_eq!(delivered_id(line), Some("38GA"));
        let elsewhere = "… INFO mail: delivered id=38GA to=a@sink.test attempts=1 status=2.0.0";
        assert_eq!(delivered_id(elsewhere), None);
        assert_eq!(delivered_id("… INFO mail: deferred id=38GA to=a@b"), None);
    }

    #[test]
    fn what_is_told_is_taken_once() {
        let arrivals = Arrivals::default();
        arrivals.note("a".to_owned());
        assert_eq!(arrivals.take(1).unwrap().len(), 1);
        assert_eq!(arrivals.count(), 0);
    }
}
