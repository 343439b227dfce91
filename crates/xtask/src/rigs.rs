//! The rigs of `tests/rigs`: Python programs that drive the real binary from outside.
//!
//! A rig gets the path of the binary and its options; it exits 0 when all went well, 77 when it
//! cannot run here (it says why with `skipped: NAME: reason`), and with anything else on failure.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::process;
use crate::tally::{Skip, Tally};

/// What `cargo xtask test` runs, with `--quick`.
pub(crate) const QUICK: [&str; 14] = [
    "newcomer",
    "sandbox",
    "errors",
    "corpus",
    "sync_order",
    "faults",
    "upgrade",
    "bitflip",
    "metrics",
    "traces",
    "slow",
    "idle",
    "many",
    "big",
];

/// All quick ones, against the debug build.
pub(crate) fn quick() -> Tally {
    let mut tally = Tally::default();
    for name in QUICK {
        // One rig that cannot even start must not hide what the others say.
        let of_rig = one(name, &["--quick"], Build::Debug).unwrap_or_else(|error| {
            println!("FAILED rig {name}: {error:#}");
            Tally::one(false)
        });
        tally.add(of_rig);
    }
    tally
}

/// One rig by name, for the command line; `--release` is ours, the other options are the rig's.
pub(crate) fn run_one(name: &str, options: &[&str]) -> anyhow::Result<bool> {
    let (ours, options): (Vec<&str>, Vec<&str>) =
        options.iter().partition(|option| **option == "--release");
    let build = if ours.is_empty() {
        Build::Debug
    } else {
        Build::Release
    };
    let tally = one(name, &options, build)?;
    println!("{}", tally.closing_line());
    Ok(tally.failed == 0)
}

/// One rig: counted as one case, beside what it says was skipped in it.
pub(crate) fn one(name: &str, options: &[&str], build: Build) -> anyhow::Result<Tally> {
    if !process::on_path("python3") {
        let reason = "python3 is not on PATH".to_owned();
        return Ok(Tally {
            skips: vec![Skip {
                name: name.to_owned(),
                reason,
            }],
            ..Tally::default()
        });
    }
    let binary = binary(build)?;
    println!("--- rig {name} {}", options.join(" "));
    let start = process::now();
    let mut rig = process::command("python3");
    rig.arg("-B")
        .arg(format!("tests/rigs/{name}.py"))
        .arg(binary)
        .args(options);
    let tally = counted(name, &mut rig)?;
    println!("--- rig {name} took {:.1} s", start.elapsed().as_secs_f64());
    Ok(tally)
}

/// Runs a Python program that speaks as rigs do, prints what it prints, and counts it.
pub(crate) fn counted(name: &str, program: &mut Command) -> anyhow::Result<Tally> {
    let mut child = program
        .env("POSTRIDER_TEST_DATA", process::data_folder())
        .env("POSTRIDER_LAB", process::target_folder().join("lab"))
        .env(
            "POSTRIDER_XTASK",
            std::env::current_exe().context("who am I")?,
        )
        .env("PYTHONUNBUFFERED", "1")
        .stdout(Stdio::piped())
        .spawn()
        .context("starting python3")?;
    let stdout = child.stdout.take().context("the rig has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading what the rig prints")?;
        tally.read_line(&line);
        println!("{line}");
    }
    let status = child.wait().context("waiting for the rig")?;
    match status.code() {
        Some(0) => tally.passed += 1,
        Some(SKIPPED) if !tally.skips.is_empty() => {}
        _ => {
            println!("FAILED rig {name}: {status}");
            tally.failed += 1;
        }
    }
    Ok(tally)
}

/// The product, made anew when its sources changed.
pub(crate) fn binary(build: Build) -> anyhow::Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "-p", "postrider"]);
    let folder = match build {
        Build::Debug => "debug",
        Build::Release => {
            cargo.arg("--release");
            "release"
        }
        Build::Dist => {
            cargo.args(["--profile", "dist"]);
            "dist"
        }
    };
    anyhow::ensure!(process::succeeds(&mut cargo)?, "postrider does not build");
    Ok(process::target_folder().join(folder).join("postrider"))
}

/// Which build of the product a run is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Build {
    /// Quick to make, with debug assertions.
    Debug,
    /// Optimised, in a minute or two: what people try.
    Release,
    /// Optimised as a whole: what they install.
    Dist,
}

/// The exit code for "cannot run here", as automake has it.
const SKIPPED: i32 = 77;
