//! One command each for test, ci, tidy, fuzz, soak, lab and bench.
//!
//! This file only chooses the command; each command is a file of its own.

#![expect(clippy::print_stdout, reason = "a tool whose output is for people")]

use std::process::ExitCode;

mod bench;
mod ci;
mod expected;
mod fuzz;
mod lab;
mod process;
mod rfc_index;
mod rigs;
mod sim;
mod soak;
mod steps;
mod tally;
mod test;
mod tidy;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when everything that was asked for went well.
fn run(arguments: &[&str]) -> anyhow::Result<bool> {
    match arguments {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["tidy"] => tidy::run(),
        ["rfc-index"] => rfc_index::run(),
        ["fuzz"] => fuzz::run(fuzz::SECONDS_CI),
        ["fuzz", seconds] => fuzz::run(seconds.parse()?),
        ["sim", options @ ..] => sim::run(options),
        ["soak"] => soak::run(),
        ["lab", words @ ..] => lab::run(words).map(|done| done.unwrap_or_else(usage)),
        ["rig", name, options @ ..] => rigs::run_one(name, options),
        ["bench", words @ ..] => bench::run(words),
        _ => Ok(usage()),
    }
}

/// Whoever asks for what there is not, has failed.
fn usage() -> bool {
    eprintln!("{USAGE}");
    false
}

const USAGE: &str = "\
cargo xtask COMMAND
  test             unit tests, transcripts, and the rigs in their quick form
  ci               everything a change has to pass; CI runs the same command
  tidy             arrows between crates, licences, file sizes, words
  rfc-index        which file obeys which section of which RFC, and the gaps
  fuzz [SECONDS]   every fuzz target, 10 seconds each if not told otherwise
  sim --seeds N    servers in one process; network, disks and power fail: the first N seeds
  sim --seeds A-B  the seeds from A to B: a long run in pieces
  sim --seed S     one seed with its journal
  sim --planted [NAME]   bugs put in on purpose, which it has to find
  soak             the long form: 20,000 seeds, planted bugs, an hour of traffic, power cuts, kills, fuzzing
  lab [unpack]     unpack foreign mailers and tools under target/lab
  lab run [NAME..] [--write] [--keep] [--release]   Postrider and foreign mailers on a small internet
  lab soak SECONDS   mixed traffic between six mailers, with faults all the time
  lab list         the scenarios of it
  rig NAME [..]    one rig of tests/rigs, with its options; --release takes that build
  bench            which benches there are
  bench NAME [--quick]     one of them, with tables for docs/benchmarks.md";
