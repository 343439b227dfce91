//! `cargo xtask sim`: three servers, a clock that jumps and a network that fails, seed by seed.

use crate::tally::Tally;
use crate::{process, rigs};

/// Seeds in one run of CI.
pub(crate) const SEEDS_CI: u32 = 200;
/// Seeds of a long run.
pub(crate) const SEEDS_SOAK: u32 = 5000;

/// True when every promise was kept.
pub(crate) fn run(options: &[&str]) -> anyhow::Result<bool> {
    Ok(played(options)?.failed == 0)
}

/// The first so many seeds.
pub(crate) fn seeds(count: u32) -> anyhow::Result<Tally> {
    played(&["--seeds", &count.to_string()])
}

fn played(options: &[&str]) -> anyhow::Result<Tally> {
    let mut sim = process::cargo();
    sim.args([
        "run",
        "--quiet",
        "--package",
        "testkit",
        "--bin",
        "sim",
        "--",
    ])
    .args(options);
    rigs::counted("sim", &mut sim)
}
