//! One command each for test, bench, fuzz, soak and tidy
fn main() {}
