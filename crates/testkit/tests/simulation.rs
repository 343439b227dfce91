//! A few seeds of the simulation; `cargo xtask sim` plays many.

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

#[test]
fn the_same_seed_tells_the_same_story() {
    let [one, other] = [7, 7].map(|seed| sim::run(seed).journal);
    assert!(one.len() > 100, "{one:#?}");
    assert_eq!(one, other);
}
