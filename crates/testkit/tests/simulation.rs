//! A few seeds of the simulation; `cargo xtask sim` plays many.

#[test]
fn promises_are_kept_in_any_weather() {
    for seed in 1..=5 {
        let outcome = testkit::sim::run(seed);
        if let Err(error) = outcome.result {
            panic!("seed {seed}: {error:#}\n{}", outcome.journal.join("\n"));
        }
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let [one, other] = [7, 7].map(|seed| testkit::sim::run(seed).journal);
    assert!(one.len() > 100, "{one:#?}");
    assert_eq!(one, other);
}
