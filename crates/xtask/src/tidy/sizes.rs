//! A file of 200 lines is comfortable; over 500 it holds two ideas, or a reason in `tidy.toml`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Source;

/// Lines of a Rust file above which a reason is wanted.
const LINES_MAX: usize = 500;

/// Path and number of lines.
type Lengths = Vec<(String, usize)>;

/// The Rust files, longest first.
pub(super) fn lengths(sources: &[Source]) -> Lengths {
    let rust = sources.iter().filter(|source| source.path.ends_with(".rs"));
    let mut lengths: Lengths = rust
        .map(|source| (source.path.clone(), source.text.lines().count()))
        .collect();
    lengths.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    lengths
}

/// Median, p90 and the long ones, for people.
pub(super) fn report(lengths: &Lengths) -> String {
    let at = |percent: usize| {
        let below = lengths.len().saturating_sub(1) * (100 - percent) / 100;
        lengths.get(below).map_or(0, |(_, lines)| *lines)
    };
    let mut text = format!(
        "sizes: {} Rust files, median {}, p90 {}",
        lengths.len(),
        at(50),
        at(90)
    );
    for (path, lines) in lengths.iter().filter(|(_, lines)| *lines > LINES_MAX) {
        let _ = write!(text, "\nsizes: {lines} {path}");
    }
    text
}

/// Gives a finding for each long file without a reason, and each reason without a long file.
pub(super) fn check(lengths: &Lengths, reasons: &BTreeMap<String, String>) -> Vec<String> {
    let long: Vec<_> = lengths
        .iter()
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();
    let unexcused = long
        .iter()
        .filter(|(path, _)| !reasons.contains_key(path))
        .map(|(path, lines)| format!("{path}: {lines} lines: which two ideas live here?"));
    let stale = reasons
        .keys()
        .filter(|path| !long.iter().any(|(long, _)| long == *path))
        .map(|path| format!("{path}: not long any more; take it out of tidy.toml"));
    unexcused.chain(stale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_lengths() -> Lengths {
        let source = |path: &str, lines| Source {
            path: path.to_owned(),
            text: "x\n".repeat(lines),
        };
        lengths(&[
            source("a.rs", 100),
            source("b.rs", 501),
            source("c.rs", 500),
            source("d.md", 900),
        ])
    }

    #[test]
    fn a_long_file_needs_a_reason_and_a_reason_a_long_file() {
        let reasons = |path: &str| BTreeMap::from([(path.to_owned(), "why".to_owned())]);
        assert_eq!(check(&some_lengths(), &BTreeMap::new()).len(), 1);
        assert!(check(&some_lengths(), &reasons("b.rs")).is_empty());
        assert_eq!(check(&some_lengths(), &reasons("a.rs")).len(), 2);
    }

    #[test]
    fn report_names_the_middle_and_the_long() {
        assert_eq!(
            report(&some_lengths()),
            "sizes: 3 Rust files, median 500, p90 501\nsizes: 501 b.rs"
        );
        assert_eq!(report(&Vec::new()), "sizes: 0 Rust files, median 0, p90 0");
    }
}
