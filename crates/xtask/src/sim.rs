//! `cargo xtask sim`: three servers, a clock that jumps, a network, disks and power that fail, seed by
//! seed; and the same with a bug planted, which it has to find.

use std::path::PathBuf;
use std::process::Command;

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
    place: Place,
}

/// Where a bug is planted.
enum Place {
    /// In the simulated disk, which says that it has done what it has not.
    Disk,
    /// In the store, under `cfg(planted = "NAME")`.
    Code,
}

/// True when a seed breaks in time.
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
    process::succeeds(sim.args(["--until-found", &within]))
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

const BUGS: [Bug; 5] = [
    Bug {
        name: "no-sync",
        what: "files are not synced",
        within: 50,
        place: Place::Disk,
    },
    Bug {
        name: "no-folder-sync",
        what: "the folder is not synced behind a new or renamed file",
        within: 50,
        place: Place::Disk,
    },
    Bug {
        name: "answer-early",
        what: "an order is answered before its entry is written",
        within: 50,
        place: Place::Code,
    },
    Bug {
        name: "any-epoch",
        what: "what an old lease says counts",
        within: 50,
        place: Place::Code,
    },
    Bug {
        name: "no-due",
        what: "a message that is put off has no next attempt",
        within: 50,
        place: Place::Code,
    },
];
