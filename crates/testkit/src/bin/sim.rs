//! Plays seeds of the simulation: `sim --seeds N` the first N, `sim --seed S` one with its journal.

#![expect(clippy::print_stdout, reason = "a tool whose output is for people")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use testkit::sim::{self, Outcome, Tally};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let went_well = match arguments.as_slice() {
        ["--seed", seed] => seed.parse().ok().map(one),
        ["--seeds", count] => count.parse().ok().map(many),
        _ => None,
    };
    match went_well {
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
        None => {
            eprintln!("sim --seeds N | --seed S");
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64) -> bool {
    let Outcome { result, journal } = sim::run(seed);
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

/// On all processors; each seed has a thread to itself.
fn many(count: u64) -> bool {
    let next = AtomicU64::new(1);
    let sum = Mutex::new((Tally::default(), 0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > count {
                        return;
                    }
                    let outcome = sim::run(seed);
                    let mut sum = sum
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    match outcome.result {
                        Ok(tally) => sum.0 += tally,
                        Err(error) => {
                            sum.1 += 1;
                            println!("FAILED seed {seed}: {error:#}");
                            println!("to see it: cargo xtask sim --seed {seed}");
                        }
                    }
                }
            });
        }
    });
    let (tally, failed) = sum
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    println!("{tally:#?}");
    let blind = count >= ENOUGH && tally.has_gaps();
    if blind {
        println!("FAILED: something that should happen in so many seeds never did");
    }
    println!("cases: sim {}", count - failed);
    failed == 0 && !blind
}

/// With so many seeds everything has happened at least once.
const ENOUGH: u64 = 100;
