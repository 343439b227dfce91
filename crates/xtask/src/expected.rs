//! What a run is expected to have gone through, and what it may leave out.
//!
//! A test that silently runs over fewer cases than last week is a hole nobody sees, so the numbers
//! stand in `cases.toml`. A skip is only acceptable in CI when `skips.toml` gives a reason.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use crate::process;
use crate::tally::{Skip, Tally};

/// `crates/xtask/cases.toml` and `crates/xtask/skips.toml`.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    cases: BTreeMap<String, u64>,
    steps: BTreeMap<String, u64>,
    skips: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    cases: BTreeMap<String, u64>,
    steps: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkipsFile {
    skips: BTreeMap<String, String>,
}

impl Expected {
    pub(crate) fn read() -> anyhow::Result<Self> {
        let folder = process::root().join("crates/xtask");
        let read = |name: &str| {
            std::fs::read_to_string(folder.join(name)).with_context(|| format!("reading {name}"))
        };
        let cases: CasesFile = toml::from_str(&read("cases.toml")?).context("cases.toml")?;
        let skips: SkipsFile = toml::from_str(&read("skips.toml")?).context("skips.toml")?;
        Ok(Self {
            cases: cases.cases,
            steps: cases.steps,
            skips: skips.skips,
        })
    }

    /// Every way in which the run fell short. `strict` is how CI asks.
    pub(crate) fn complaints(&self, tally: &Tally, strict: bool) -> Vec<String> {
        let mut complaints = Vec::new();
        for (name, wanted) in &self.cases {
            complaints.extend(too_few(name, *wanted, tally, strict));
        }
        complaints.extend(self.skips_not_allowed(tally, strict));
        complaints
    }

    /// The same for a step of CI that is no part of the tests: a rig in its long form, or the lab.
    pub(crate) fn complaints_of_step(&self, tally: &Tally) -> Vec<String> {
        let mut complaints = self.skips_not_allowed(tally, process::in_ci());
        for name in tally
            .cases
            .keys()
            .filter(|name| !self.steps.contains_key(*name))
        {
            complaints.push(format!(
                "{name}: crates/xtask/cases.toml has no number under [steps]"
            ));
        }
        for (name, wanted) in &self.steps {
            complaints.extend(too_few(name, *wanted, tally, false));
        }
        complaints
    }

    /// What CI may not leave out; at a desk anything may be missing.
    pub(crate) fn skips_not_allowed(&self, tally: &Tally, strict: bool) -> Vec<String> {
        let not_allowed = |skip: &&Skip| strict && !self.skips.contains_key(&skip.name);
        let found = tally.skips.iter().filter(not_allowed);
        found
            .map(|skip| {
                format!(
                    "{} was skipped ({}), and crates/xtask/skips.toml does not allow it",
                    skip.name, skip.reason
                )
            })
            .collect()
    }

    /// Counts that have grown past what is written down: raise the number, or it guards nothing.
    pub(crate) fn grown(&self, tally: &Tally) -> Vec<String> {
        let grown = tally.cases.iter().filter_map(|(name, seen)| {
            let wanted = self.cases.get(name).copied().unwrap_or(0);
            (*seen > wanted).then(|| format!("{name} = {seen}"))
        });
        grown.collect()
    }
}

fn too_few(name: &str, wanted: u64, tally: &Tally, strict: bool) -> Option<String> {
    // What is skipped takes its own cases along; the skip itself is judged beside.
    if tally.skips.iter().any(|skip| skip.name == name) {
        return None;
    }
    match tally.cases.get(name) {
        Some(seen) if *seen < wanted => Some(format!(
            "{name}: {seen} cases went through, crates/xtask/cases.toml expects {wanted}"
        )),
        Some(_) => None,
        None => strict.then(|| format!(
            "{name}: no line `cases: {name} N` was printed, crates/xtask/cases.toml expects {wanted}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected {
            steps: BTreeMap::new(),
            cases: BTreeMap::from([("transcripts".to_owned(), 25)]),
            skips: BTreeMap::from([("powercut".to_owned(), "needs a loop device".to_owned())]),
        }
    }

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            assert!(tally.read_line(line), "{line}");
        }
        tally
    }

    #[test]
    fn fewer_cases_than_written_down_is_a_complaint() {
        assert_eq!(
            expected()
                .complaints(&tally(&["cases: transcripts 24"]), false)
                .len(),
            1
        );
        assert!(
            expected()
                .complaints(&tally(&["cases: transcripts 25"]), true)
                .is_empty()
        );
        assert!(
            expected()
                .complaints(&tally(&["cases: transcripts 26"]), true)
                .is_empty()
        );
        assert_eq!(
            expected().grown(&tally(&["cases: transcripts 26"])),
            ["transcripts = 26"]
        );
    }

    #[test]
    fn a_skip_explains_its_own_cases_and_no_others() {
        let part = [
            "cases: transcripts 20",
            "skipped: transcripts.tcp: no network",
        ];
        assert_eq!(expected().complaints(&tally(&part), false).len(), 1);
        let whole = ["skipped: transcripts: no files"];
        assert!(expected().complaints(&tally(&whole), false).is_empty());
        // The skip itself, which the file does not allow.
        assert_eq!(expected().complaints(&tally(&whole), true).len(), 1);
    }

    #[test]
    fn silence_is_a_complaint_only_in_ci() {
        assert!(expected().complaints(&tally(&[]), false).is_empty());
        assert_eq!(expected().complaints(&tally(&[]), true).len(), 1);
    }

    #[test]
    fn a_skip_without_a_reason_in_the_file_is_a_complaint_in_ci() {
        let lines = [
            "cases: transcripts 25",
            "skipped: powercut: not root",
            "skipped: big: no",
        ];
        assert!(expected().complaints(&tally(&lines), false).is_empty());
        assert_eq!(expected().complaints(&tally(&lines), true).len(), 1);
    }
}
