//! A run made of steps: all of them are done, whatever fails, and a table of times ends it.

use std::time::Duration;

use crate::process;
use crate::tally::Tally;

/// What has been done so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    tally: Tally,
}

struct Row {
    name: &'static str,
    took: Duration,
    verdict: String,
}

impl Steps {
    /// A step that counts as one: it went well or it did not.
    pub(crate) fn check(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<bool>,
    ) {
        self.counted(name, || step().map(Tally::one));
    }

    /// A step that counts its own cases.
    pub(crate) fn counted(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<Tally>,
    ) {
        println!("\n=== {name}");
        let start = process::now();
        let tally = step().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Tally::one(false)
        });
        let verdict = if tally.failed == 0 {
            "ok".to_owned()
        } else {
            "FAILED".to_owned()
        };
        self.rows.push(Row {
            name,
            took: start.elapsed(),
            verdict,
        });
        self.tally.add(tally);
    }

    /// Prints the table and the closing line; true when nothing failed.
    pub(crate) fn finish(self) -> bool {
        println!("\n{:<24} {:>8}  verdict", "step", "seconds");
        for row in &self.rows {
            println!(
                "{:<24} {:>8.1}  {}",
                row.name,
                row.took.as_secs_f64(),
                row.verdict
            );
        }
        for skip in &self.tally.skips {
            println!("SKIPPED {}: {}", skip.name, skip.reason);
        }
        println!("{}", self.tally.closing_line());
        self.tally.failed == 0
    }
}
