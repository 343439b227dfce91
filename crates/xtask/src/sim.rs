//! `cargo xtask sim`: three servers, a clock that jumps, a network, disks and power that fail, seed by
//! seed; and the same with a bug planted, which it has to find.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::tally::Tally;
use crate::{process, rigs};

/// Seeds in one run of CI.
pub(crate) const SEEDS_CI: u32 = 500;
/// Seeds of a long run.
pub(crate) const SEEDS_SOAK: u32 = 20_000;

/// True when every promise was kept, or every planted bug found.
pub(crate) fn run(options: &[&str]) -> anyhow::Result<bool> {
    match options {
        ["--planted"] => Ok(planted()?.failed == 0),
        ["--planted", name] => {
            let bug = BUGS.iter().find(|bug| bug.name == *name);
            find(bug.with_context(|| format!("no bug is called {name}"))?)
        }
        options => Ok(played(options)?.failed == 0),
    }
}

/// The first so many seeds.
pub(crate) fn seeds(count: u32) -> anyhow::Result<Tally> {
    played(&["--seeds", &count.to_string()])
}

/// Every bug that can be planted, one after the other.
pub(crate) fn planted() -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    for bug in &BUGS {
        tally.add(Tally::one(find(bug)?));
    }
    tally.cases.insert("planted".to_owned(), tally.passed);
    Ok(tally)
}

fn played(options: &[&str]) -> anyhow::Result<Tally> {
    let mut sim = process::cargo();
    sim.args(["run", "--quiet", "--profile", "sim"])
        .args(SIM)
        .args(options);
    rigs::counted("sim", &mut sim)
}

/// A bug that the simulation has to find.
struct Bug {
    name: &'static str,
    what: &'static str,
    /// In so many seeds.
    within: u32,
    /// What is said of the invariants that it may break first: some other failure is not this bug.
    breaks: &'static [&'static str],
    place: Place,
}

/// Where a bug is planted.
enum Place {
    /// In the simulated disk, which says that it has done what it has not.
    Disk,
    /// In the store, under `cfg(planted = "NAME")`.
    Code,
}

/// True when a seed breaks in time, by what the bug does, and does not break without it.
fn find(bug: &Bug) -> anyhow::Result<bool> {
    println!("--- planted: {} ({})", bug.name, bug.what);
    let within = bug.within.to_string();
    let mut sim = match bug.place {
        Place::Disk => {
            let mut sim = process::cargo();
            sim.args(["run", "--quiet", "--profile", "sim"])
                .args(SIM)
                .args(["--lie", bug.name]);
            sim
        }
        Place::Code => with_cfg(bug.name)?,
    };
    let printed = sim
        .args(["--until-found", &within])
        .stderr(Stdio::inherit());
    let printed = printed.output().context("starting the simulation")?.stdout;
    let printed = String::from_utf8_lossy(&printed);
    print!("{printed}");
    let Some((seed, broken)) = printed.lines().find_map(found) else {
        return Ok(false);
    };
    if !bug.breaks.iter().any(|breaks| broken.contains(breaks)) {
        println!("FAILED: that is none of {:?}", bug.breaks);
        return Ok(false);
    }
    let mut honest = process::cargo();
    honest
        .args(["run", "--quiet", "--profile", "sim"])
        .args(SIM)
        .args(["--seed", seed]);
    // Its journal is long.
    let went_well = process::succeeds(honest.stdout(Stdio::null()))?;
    if !went_well {
        println!("FAILED: seed {seed} breaks without the bug too");
    }
    Ok(went_well)
}

/// The seed that has found a bug, and what broke.
fn found(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("found by seed ")?.split_once(": ")
}

/// The simulation built with a cfg, in a folder of its own. Only our crates are built with it: the
/// others are built once for all bugs.
fn with_cfg(name: &str) -> anyhow::Result<Command> {
    let folder = process::target_folder().join("planted");
    let mut sim = process::cargo();
    sim.args(["run", "--quiet"])
        .args(SIM)
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper(&folder, name)?);
    Ok(sim)
}

/// A program that cargo starts in place of the compiler.
fn wrapper(folder: &std::path::Path, name: &str) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).context("making target/planted")?;
    let path = folder.join(name);
    let script = format!("#!/bin/sh\nexec \"$@\" --cfg 'planted=\"{name}\"'\n");
    std::fs::write(&path, script).context("writing the wrapper")?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

const SIM: [&str; 5] = ["--package", "testkit", "--bin", "sim", "--"];

const BUGS: [Bug; 7] = [
    Bug {
        name: "no-sync",
        what: "files are not synced",
        within: 50,
        breaks: &["of the body log has"],
        place: Place::Disk,
    },
    Bug {
        name: "no-folder-sync",
        what: "the folder is not synced behind a new or renamed file",
        within: 50,
        breaks: &["of the body log is missing"],
        place: Place::Disk,
    },
    Bug {
        name: "answer-early",
        what: "an order is answered before its entry is written",
        within: 50,
        // Nobody delivers a message that was answered and not written: it stays at hand.
        breaks: &[
            "copies, and 0 attempts were cut off",
            "octets of new messages in memory, and the queue is empty",
        ],
        place: Place::Code,
    },
    Bug {
        name: "any-epoch",
        what: "what an old lease says counts",
        within: 50,
        breaks: &["got nothing, nor the sender a report: Delivered"],
        place: Place::Code,
    },
    Bug {
        name: "no-due",
        what: "a message that is put off has no next attempt",
        within: 50,
        breaks: &["has no next attempt"],
        place: Place::Code,
    },
    Bug {
        name: "one-life",
        what: "what a file held as an earlier segment counts",
        within: 50,
        breaks: &["cannot be taken over"],
        place: Place::Code,
    },
    Bug {
        name: "stale-young",
        what: "a message without rows outlives the transaction that it was promised in",
        within: 50,
        breaks: &["the daily totals and the queue do not balance"],
        place: Place::Code,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_broke_stands_behind_the_seed() {
        for (line, told) in [
            (
                "found by seed 12: a.example: no end",
                Some(("12", "a.example: no end")),
            ),
            ("FAILED: not found in 50 seeds", None),
            ("3 seeds, 2 days of three servers in 1.0 s", None),
        ] {
            assert_eq!(found(line), told);
        }
    }
}
