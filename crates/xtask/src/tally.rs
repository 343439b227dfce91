//! Counting what passed, failed and was skipped, from what test programs print.
//!
//! Beside libtest's own lines there are three that any test or rig may print, alone on a line:
//! `cases: NAME N` says how many cases a test really went through, `skipped: NAME: reason` that
//! something could not run here, and `figure: NAME NUMBER` what was measured.

use std::collections::BTreeMap;

/// The sum of one or more test runs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skips: Vec<Skip>,
    pub(crate) cases: BTreeMap<String, u64>,
    pub(crate) figures: BTreeMap<String, f64>,
}

/// Something that did not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Tally {
    /// One thing that went well or not.
    pub(crate) fn one(ok: bool) -> Self {
        Self {
            passed: u64::from(ok),
            failed: u64::from(!ok),
            ..Self::default()
        }
    }

    /// Takes in one printed line; true when it said something about the count.
    pub(crate) fn read_line(&mut self, line: &str) -> bool {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.read_result(counts);
            return true;
        }
        if let Some((name, count)) = case_line(line) {
            *self.cases.entry(name.to_owned()).or_default() += count;
            return true;
        }
        if let Some((name, number)) = figure_line(line) {
            self.figures.insert(name.to_owned(), number);
            return true;
        }
        if let Some(skip) = skip_line(line).or_else(|| ignored_line(line)) {
            self.skips.push(skip);
            return true;
        }
        false
    }

    /// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; …`: ignored ones have lines of their own.
    fn read_result(&mut self, counts: &str) {
        for part in counts.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(word)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                _ => {}
            }
        }
    }

    /// A libtest test that prints `skipped:` has also been counted as passed: take it back.
    pub(crate) fn settle_skips(&mut self, from_libtest: u64) {
        self.passed = self.passed.saturating_sub(from_libtest);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skips.extend(other.skips);
        self.figures.extend(other.figures);
        for (name, count) in other.cases {
            *self.cases.entry(name).or_default() += count;
        }
    }

    /// The line every run ends with.
    pub(crate) fn closing_line(&self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.skips.len()
        )
    }
}

/// `cases: NAME N`
fn case_line(line: &str) -> Option<(&str, u64)> {
    let (name, count) = line.strip_prefix("cases: ")?.trim().split_once(' ')?;
    Some((name, count.trim().parse().ok()?))
}

/// `figure: NAME NUMBER`
fn figure_line(line: &str) -> Option<(&str, f64)> {
    let (name, number) = line.strip_prefix("figure: ")?.trim().rsplit_once(' ')?;
    Some((name.trim(), number.parse().ok()?))
}

/// `skipped: NAME: reason`
pub(crate) fn skip_line(line: &str) -> Option<Skip> {
    let (name, reason) = line.strip_prefix("skipped: ")?.split_once(": ")?;
    Some(Skip {
        name: name.trim().to_owned(),
        reason: reason.trim().to_owned(),
    })
}

/// `test NAME ... ignored, reason`
fn ignored_line(line: &str) -> Option<Skip> {
    let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let reason = verdict
        .strip_prefix("ignored")?
        .trim_start_matches([',', ' ']);
    let reason = if reason.is_empty() {
        "ignored without a reason"
    } else {
        reason
    };
    Some(Skip {
        name: name.to_owned(),
        reason: reason.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(text: &str) -> Tally {
        let mut tally = Tally::default();
        for line in text.lines() {
            tally.read_line(line);
        }
        tally
    }

    #[test]
    fn libtest_results_add_up() {
        let tally = tally_of(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n",
        );
        assert_eq!((tally.passed, tally.failed), (5, 4));
    }

    #[test]
    fn cases_and_skips_are_read() {
        let tally = tally_of(
            "cases: transcripts 25\ncases: transcripts 5\nskipped: powercut: not root\n\
             test a::b ... ignored, slow\ntest a::c ... ok\ncases: broken line\n",
        );
        assert_eq!(tally.cases["transcripts"], 30);
        assert_eq!(tally.cases.len(), 1);
        let names: Vec<_> = tally.skips.iter().map(|skip| skip.name.as_str()).collect();
        assert_eq!(names, ["powercut", "a::b"]);
        assert_eq!(tally.skips[1].reason, "slow");
    }

    #[test]
    fn figures_are_read() {
        let tally = tally_of("figure: first greeting 0.25\nfigure: broken\nfigure: rss x\n");
        assert_eq!(tally.figures.len(), 1);
        assert!((tally.figures["first greeting"] - 0.25).abs() < 1e-9);
    }

    #[test]
    fn closing_line_is_plain() {
        let mut tally = tally_of("test result: ok. 3 passed; 0 failed; 0 ignored\nskipped: x: y");
        tally.settle_skips(1);
        assert_eq!(tally.closing_line(), "2 passed, 0 failed, 1 skipped");
    }
}
