//! A few seeds of the simulation; `cargo xtask sim` plays many.

use store::double::Lie;
use testkit::sim::{self, Tally};

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

/// By what it breaks, in a seed where nothing breaks without it.
#[test]
fn a_disk_that_lies_is_found_out() {
    for (lie, breaks) in [
        (Lie::Sync, "of the body log has"),
        (Lie::SyncFolder, "of the body log is missing"),
    ] {
        let broken = |seed| sim::run_with(seed, Some(lie)).result.err();
        let found = (1..=20).find_map(|seed| Some((seed, broken(seed)?)));
        let (seed, error) = found.unwrap();
        assert!(format!("{error:#}").contains(breaks), "{lie:?}: {error:#}");
        let honest = sim::run(seed).result;
        assert!(honest.is_ok(), "seed {seed}: {honest:?}");
    }
}
