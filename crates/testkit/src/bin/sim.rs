//! Plays seeds of the simulation: `sim --seeds N` the first N, `sim --seeds A-B` those from A to B,
//! `sim --seed S` one with its journal, `sim --until-found N` the first N until one breaks. `--lie NAME`
//! in front has the disks lie.

#![expect(clippy::print_stdout, reason = "a tool whose output is for people")]

use std::ops::RangeInclusive;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use store::double::Lie;
use testkit::sim::{self, Outcome, Tally};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (lie, rest) = match arguments.as_slice() {
        ["--lie", "no-sync", rest @ ..] => (Some(Lie::Sync), rest),
        ["--lie", "no-folder-sync", rest @ ..] => (Some(Lie::SyncFolder), rest),
        rest => (None, rest),
    };
    let went_well = match rest {
        ["--seed", seed] => seed.parse().ok().map(|seed| one(seed, lie)),
        ["--seeds", seeds] => range(seeds).map(|seeds| many(&seeds, lie)),
        ["--until-found", count] => count.parse().ok().map(|count| find(count, lie)),
        _ => None,
    };
    match went_well {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!(
                "sim [--lie no-sync|no-folder-sync] --seed S | --seeds N|A-B | --until-found N"
            );
            ExitCode::FAILURE
        }
    }
}

/// `N`: the first so many; `A-B`: from A to B.
fn range(seeds: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = seeds.split_once('-').unwrap_or(("1", seeds));
    let seeds = first.parse().ok()?..=last.parse().ok()?;
    (!seeds.is_empty()).then_some(seeds)
}

fn one(seed: u64, lie: Option<Lie>) -> bool {
    let Outcome { result, journal } = sim::run_with(seed, lie);
    for line in journal {
        println!("{line}");
    }
    match result {
        Ok(tally) => println!("seed {seed}: {tally:?}"),
        Err(error) => {
            println!("FAILED seed {seed}: {error:#}");
            return false;
        }
    }
    true
}

fn many(seeds: &RangeInclusive<u64>, lie: Option<Lie>) -> bool {
    let (mut tally, mut played, mut failed) = (Tally::default(), 0, 0);
    let began = now();
    let ended = play(seeds, lie, |seed, outcome| {
        played += 1;
        match outcome.result {
            Ok(more) => tally += more,
            Err(error) => {
                failed += 1;
                show(seed, &error, &outcome.journal);
            }
        }
        true
    });
    println!("{tally:#?}");
    say_speed(played, &tally, began.elapsed());
    let blind = played >= ENOUGH && tally.has_gaps();
    if blind {
        println!("FAILED: something that should happen in so many seeds never did");
    }
    println!("cases: sim {}", played - failed);
    failed == 0 && !blind && ended
}

/// Plays seeds until one breaks: true when that happens.
fn find(count: u64, lie: Option<Lie>) -> bool {
    let mut found = None;
    play(&(1..=count), lie, |seed, outcome| {
        if let Err(error) = outcome.result {
            found.get_or_insert((seed, error));
        }
        found.is_none()
    });
    match &found {
        Some((seed, error)) => println!("found by seed {seed}: {}", broken(error)),
        None => println!("FAILED: not found in {count} seeds"),
    }
    found.is_some()
}

/// Plays seeds on all processors, each in a thread of its own, as long as `told` says so. False when
/// one of them does not come to an end.
fn play(
    seeds: &RangeInclusive<u64>,
    lie: Option<Lie>,
    mut told: impl FnMut(u64, Outcome) -> bool,
) -> bool {
    let (next, stop) = (AtomicU64::new(*seeds.start()), AtomicBool::new(false));
    let (done, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let done = done.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if done.send((seed, sim::run_with(seed, lie))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        loop {
            match outcomes.recv_timeout(STALL_MAX) {
                Ok((seed, outcome)) => {
                    if !told(seed, outcome) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => {
                    let last = next.load(Ordering::Relaxed).saturating_sub(1);
                    let last = last.min(*seeds.end());
                    println!("FAILED: time stands still in seed {last} or one before it");
                    // The thread that plays it never ends.
                    std::process::exit(1);
                }
            }
        }
    })
}

/// What broke, how to see it again, and the end of its journal.
fn show(seed: u64, error: &anyhow::Error, journal: &[String]) {
    println!("FAILED seed {seed}: {error:#}");
    println!("to see it: cargo xtask sim --seed {seed}");
    let skipped = journal.len().saturating_sub(TAIL_LINES);
    println!("the last of {} lines of its journal:", journal.len());
    for line in &journal[skipped..] {
        println!("  {line}");
    }
    let path = std::env::temp_dir().join(format!("sim-{seed}.journal"));
    match std::fs::write(&path, journal.join("\n")) {
        Ok(()) => println!("all of it: {}", path.display()),
        Err(error) => println!("all of it could not be written: {error}"),
    }
}

/// What broke, in one line; where and when is for the journal.
fn broken(error: &anyhow::Error) -> String {
    let text = error.root_cause().to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

fn say_speed(played: u64, tally: &Tally, took: Duration) {
    let days = tally.simulated.as_secs_f64() / DAY.as_secs_f64();
    let seconds = took.as_secs_f64();
    println!(
        "{played} seeds, {days:.0} days of three servers in {seconds:.1} s: {:.2} s a seed, {:.1} days a second",
        seconds / f64::from(u32::try_from(played.max(1)).unwrap_or(u32::MAX)),
        days / seconds
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a run takes is told to people"
)]
fn now() -> Instant {
    Instant::now()
}

/// With so many seeds everything has happened at least once.
const ENOUGH: u64 = 100;
/// A seed takes less than a second.
const STALL_MAX: Duration = Duration::from_mins(2);
const TAIL_LINES: usize = 30;
const DAY: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn seeds_are_told_by_their_number_or_by_the_first_and_the_last() {
        for (told, seeds) in [
            ("5", Some(1..=5)),
            ("501-1000", Some(501..=1000)),
            ("7-7", Some(7..=7)),
            ("0", None),
            ("7-3", None),
            ("-5", None),
            ("5-", None),
            ("1-2-3", None),
            ("a", None),
        ] {
            assert_eq!(range(told), seeds, "{told}");
        }
    }
}
