//! The results as Markdown, for `docs/benchmarks.md`.

use std::fmt::Write;
use std::time::Duration;

use super::percentile::median;
use super::usage::Usage;

/// One row per load and peer: medians, and accepted messages as a ratio to the last peer.
/// `what` is counted per second.
pub(super) fn render(what: &str, names: &[&str], rows: &[Row]) -> String {
    let baseline = names.last().copied().unwrap_or_default();
    let mut text = format!(
        "| load | server | {what} | to {baseline} | CPU s per 1000 | memory MiB | written per octet |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n"
    );
    for row in rows {
        let of = |samples: &Vec<Sample>, pick: fn(&Sample) -> f64| median(samples.iter().map(pick));
        let base = row
            .results
            .last()
            .map_or(0.0, |samples| of(samples, |s| s.per_second));
        for (name, samples) in names.iter().zip(&row.results) {
            let per_second = of(samples, |s| s.per_second);
            let _ = writeln!(
                text,
                "| {} | {name} | {per_second:.0} | {:.2} | {:.2} | {:.0} | {:.2} |",
                row.label,
                per_second / base,
                of(samples, |s| s.cpu_per_1000),
                of(samples, |s| s.memory_mib),
                of(samples, |s| s.written_per_octet),
            );
        }
    }
    text
}

/// One row: the results of each peer over all rounds, the peers taking turns.
pub(super) struct Row {
    pub(super) label: String,
    pub(super) results: Vec<Vec<Sample>>,
}

/// What one load cost one peer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) per_second: f64,
    pub(super) cpu_per_1000: f64,
    pub(super) memory_mib: f64,
    pub(super) written_per_octet: f64,
}

impl Sample {
    /// Of so many messages, each of so many octets.
    pub(super) fn of(
        messages: u64,
        octets: u64,
        took: Duration,
        before: &Usage,
        after: &Usage,
    ) -> Self {
        let octets = (messages * octets) as f64;
        let messages = messages as f64;
        Self {
            per_second: messages / took.as_secs_f64(),
            cpu_per_1000: (after.cpu_seconds - before.cpu_seconds) / messages * 1000.0,
            memory_mib: after.memory_kib as f64 / 1024.0,
            written_per_octet: after.written.saturating_sub(before.written) as f64 / octets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios_stand_in_the_table() {
        let label = "4 KiB, 20 sessions".to_owned();
        let sample = |per_second| Sample {
            per_second,
            cpu_per_1000: 0.5,
            memory_mib: 30.0,
            written_per_octet: 1.5,
        };
        let results = vec![
            vec![sample(90.0), sample(100.0), sample(900.0)],
            vec![sample(50.0)],
        ];
        let text = render("accepted/s", &["ours", "theirs"], &[Row { label, results }]);
        let line = "| 4 KiB, 20 sessions | ours | 100 | 2.00 | 0.50 | 30 | 1.50 |";
        assert_eq!(text.lines().nth(2), Some(line));
        assert_eq!(text.lines().count(), 4);
    }
}
