//! A few seeds of the simulation; `cargo xtask sim` plays many.

use store::double::Lie;
use testkit::sim::{self, Outcome, Tally};

#[test]
fn promises_are_kept_in_any_weather() {
    let mut tally = Tally::default();
    for seed in 1..=5 {
        let outcome = sim::run(seed);
        match outcome.result {
            Ok(more) => tally += more,
            Err(error) => panic!("seed {seed}: {error:#}\n{}", outcome.journal.join("\n")),
        }
    }
    assert!(tally.repeats > 0, "no start had anything to repeat");
}

/// Faults of disks and power cuts in the middle of a step included.
#[test]
fn the_same_seed_tells_the_same_story() {
    let [one, other] = [11, 11].map(|seed| sim::run(seed).journal);
    assert!(one.len() > 100, "{one:#?}");
    for what in [" fails", "Power", "Process", "falls asleep"] {
        assert!(one.iter().any(|line| line.contains(what)), "nothing {what}");
    }
    assert_eq!(one, other);
}

#[test]
fn a_disk_that_lies_is_found_out() {
    for lie in [Lie::Sync, Lie::SyncFolder] {
        let mut seeds = 1..=20;
        let found = seeds.any(|seed| {
            let Outcome { result, .. } = sim::run_with(seed, Some(lie));
            result.is_err()
        });
        assert!(found, "{lie:?}");
    }
}
