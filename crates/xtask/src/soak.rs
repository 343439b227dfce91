//! `cargo xtask soak`: the long form of what CI does in short, for a night.

use crate::rigs::Build;
use crate::steps::Steps;
use crate::{fuzz, lab, rigs, sim};

const POWER_CUTS: u32 = 100;
const KILLS: u32 = 200;
/// An hour between six mailers.
const TRAFFIC_SECONDS: u32 = 3600;
const FUZZ_SECONDS: u32 = 600;

/// True when nothing was lost and nothing crashed.
pub(crate) fn run() -> anyhow::Result<bool> {
    let mut steps = Steps::default();
    steps.counted("simulation", || sim::seeds(sim::SEEDS_SOAK));
    steps.counted("planted bugs", sim::planted);
    steps.counted("mixed traffic with faults", || {
        lab::soak(TRAFFIC_SECONDS, Build::Release)
    });
    steps.counted("kill -9", || {
        rigs::one("kill9", &[&KILLS.to_string()], Build::Release)
    });
    steps.counted("power cut", || {
        rigs::one("powercut", &[&POWER_CUTS.to_string()], Build::Release)
    });
    steps.counted("kill -9 in delivery", || {
        rigs::one("midway_kill9", &[&KILLS.to_string()], Build::Release)
    });
    steps.counted("power cut in delivery", || {
        rigs::one(
            "midway_powercut",
            &[&POWER_CUTS.to_string()],
            Build::Release,
        )
    });
    steps.counted("dead destinations", || {
        rigs::one("deferred", &[], Build::Release)
    });
    for name in rigs::QUICK {
        steps.counted(name, || rigs::one(name, &[], Build::Release));
    }
    steps.check("fuzz", || fuzz::run(FUZZ_SECONDS));
    Ok(steps.finish())
}
