//! `cargo xtask lab run`: the scenarios of `tests/lab`, on a small internet in namespaces.

use std::path::PathBuf;

use anyhow::Context;

use super::peers;
use crate::process;
use crate::rigs::{self, Build};
use crate::tally::Tally;

/// The scenarios whose names begin with one of the words, all without a word. `--release` takes that
/// build, `--write` puts the matrices into `docs/interop.md`; the other options are the lab's.
pub(super) fn run(words: &[&str]) -> anyhow::Result<bool> {
    let tally = tally(words)?;
    println!("{}", tally.closing_line());
    Ok(tally.failed == 0)
}

/// The same for a caller that has more to count: the lab is one case, beside what it skips.
pub(crate) fn tally(words: &[&str]) -> anyhow::Result<Tally> {
    // What cannot be unpacked is counted by the lab itself, with its cases.
    peers::unpack()?;
    let build = if words.contains(&"--release") {
        Build::Release
    } else {
        Build::Debug
    };
    let binary = match std::env::var_os("POSTRIDER_BIN") {
        Some(path) => process::root().join(path),
        None => rigs::binary(build)?,
    };
    let mut python = python();
    python.arg(binary).arg(peers::folder());
    for word in words.iter().filter(|word| **word != "--release") {
        python.arg(word);
        if *word == "--write" {
            python.arg(document());
        }
    }
    rigs::counted("lab", &mut python)
}

/// Mixed traffic with faults for so many seconds: `tests/lab/soak.py`.
pub(crate) fn soak(seconds: u32, build: Build) -> anyhow::Result<Tally> {
    peers::unpack()?;
    let mut python = process::command("python3");
    python.args(["-B", "tests/lab/soak.py"]);
    python.arg(rigs::binary(build)?).arg(peers::folder());
    python.args(["--seconds", &seconds.to_string()]);
    rigs::counted("traffic", &mut python)
}

/// Names, titles and sizes of the scenarios.
pub(super) fn list() -> anyhow::Result<bool> {
    process::succeeds(python().args(["-", "-", "--list"])).context("listing scenarios")
}

fn python() -> std::process::Command {
    let mut python = process::command("python3");
    python.args(["-B", "tests/lab/lab.py"]);
    python
}

fn document() -> PathBuf {
    process::root().join("docs/interop.md")
}
