//! `cargo xtask ci`: everything a change has to pass, in the order in which it fails soonest.

use crate::expected::Expected;
use crate::rigs::Build;
use crate::steps::Steps;
use crate::tally::{Skip, Tally};
use crate::{bench, fuzz, lab, process, rigs, sim, test, tidy};

/// Power cuts in one run of CI; `soak` does more.
const POWER_CUTS: u32 = 10;
/// `kill -9` in one run of CI.
const KILLS: u32 = 20;
/// Traffic between six mailers, with faults; the queues run empty after it.
const TRAFFIC_SECONDS: u32 = 60;

/// True when every step went well.
pub(crate) fn run() -> anyhow::Result<bool> {
    let mut steps = Steps::default();
    steps.check("format", || {
        process::succeeds(process::cargo().args(["fmt", "--all", "--", "--check"]))
    });
    steps.check("clippy", || {
        process::succeeds(process::cargo().args([
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.check("tidy", tidy::run);
    steps.counted("test", test::tally);
    steps.check("docs", || {
        process::succeeds(
            process::cargo()
                .args(["doc", "--no-deps", "--workspace"])
                .env("RUSTDOCFLAGS", "-D warnings"),
        )
    });
    steps.counted("fuzz", fuzz_step);
    steps.counted("simulation", || judged(sim::seeds(sim::SEEDS_CI)?));
    steps.counted("kill -9", || {
        judged(rigs::one("kill9", &[&KILLS.to_string()], Build::Debug)?)
    });
    steps.counted("power cut", || {
        judged(rigs::one(
            "powercut",
            &[&POWER_CUTS.to_string()],
            Build::Debug,
        )?)
    });
    steps.counted("kill -9 in delivery", || {
        judged(rigs::one(
            "midway_kill9",
            &[&KILLS.to_string()],
            Build::Debug,
        )?)
    });
    steps.counted("power cut in delivery", || {
        judged(rigs::one(
            "midway_powercut",
            &[&POWER_CUTS.to_string()],
            Build::Debug,
        )?)
    });
    steps.check("benches", bench::shortly);
    steps.counted("mixed traffic with faults", || {
        judged(lab::soak(TRAFFIC_SECONDS, Build::Debug)?)
    });
    steps.counted("lab", || judged(lab::tally(&[])?));
    Ok(steps.finish())
}

/// Fewer cases than there were, or a skip that nobody allows, is a failure.
fn judged(mut tally: Tally) -> anyhow::Result<Tally> {
    for complaint in Expected::read()?.complaints_of_step(&tally) {
        println!("FAILED {complaint}");
        tally.failed += 1;
    }
    Ok(tally)
}

fn fuzz_step() -> anyhow::Result<Tally> {
    if process::on_path("cargo-fuzz") {
        return Ok(Tally::one(fuzz::run(fuzz::SECONDS_CI)?));
    }
    let mut tally = Tally::default();
    let reason = "cargo-fuzz is not installed; .ci/run installs it";
    if process::in_ci() {
        println!("FAILED fuzz: {reason}");
        tally.failed = 1;
    } else {
        tally.skips.push(Skip {
            name: "fuzz".to_owned(),
            reason: reason.to_owned(),
        });
    }
    Ok(tally)
}
