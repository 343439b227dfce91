//! `cargo xtask test`: every test of the workspace, then the rigs in their quick form.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::Context;

use crate::expected::Expected;
use crate::tally::{Skip, Tally};
use crate::{process, rigs, tally};

/// True when nothing failed. Ends with `N passed, N failed, N skipped` alone on a line.
pub(crate) fn run() -> anyhow::Result<bool> {
    let tally = tally()?;
    for skip in &tally.skips {
        println!("SKIPPED {}: {}", skip.name, skip.reason);
    }
    println!("{}", tally.closing_line());
    Ok(tally.failed == 0)
}

/// The same for a caller that has more to count.
pub(crate) fn tally() -> anyhow::Result<Tally> {
    let expected = Expected::read()?;
    let mut tally = Tally::default();
    if !process::data_folder().is_dir() {
        tally.skips.push(Skip {
            name: "test-data".to_owned(),
            reason: "no folder ../shared/data; set POSTRIDER_TEST_DATA to where it is".to_owned(),
        });
    }
    tally.add(workspace_tests()?);
    tally.add(rigs::quick());
    for complaint in expected.complaints(&tally, process::in_ci()) {
        println!("FAILED {complaint}");
        tally.failed += 1;
    }
    for line in expected.grown(&tally) {
        println!("note: crates/xtask/cases.toml may now say `{line}`");
    }
    Ok(tally)
}

/// `cargo test --workspace`, its output shortened to what a reader wants.
fn workspace_tests() -> anyhow::Result<Tally> {
    let mut child = process::cargo()
        .args([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--show-output",
        ])
        .env("POSTRIDER_TEST_DATA", process::data_folder())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo test has no output")?;
    let mut tally = Tally::default();
    let mut in_successes = false;
    let mut said_by_tests = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("reading what cargo test prints")?;
        in_successes = (in_successes || line == "successes:")
            && line != "failures:"
            && !line.starts_with("test result:");
        said_by_tests += u64::from(tally::skip_line(&line).is_some());
        let counted = tally.read_line(&line);
        let noise = line.is_empty() || line.starts_with("running ") || line.ends_with(" ... ok");
        if counted || !(in_successes || noise) {
            println!("{line}");
        }
    }
    tally.settle_skips(said_by_tests);
    if !child.wait().context("waiting for cargo test")?.success() && tally.failed == 0 {
        println!("cargo test failed without a failed test: see what the compiler said above");
        tally.failed = 1;
    }
    Ok(tally)
}
