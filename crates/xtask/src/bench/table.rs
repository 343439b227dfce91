//! The results as Markdown, for `docs/benchmarks.md`.

use std::fmt::Write;

use super::median::median;
use super::{Row, Sample};

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
                row.load,
                per_second / base,
                of(samples, |s| s.cpu_per_1000),
                of(samples, |s| s.memory_mib),
                of(samples, |s| s.written_per_octet),
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::load::{Connections, Load};
    use super::*;

    #[test]
    fn medians_and_ratios_stand_in_the_table() {
        let load = Load {
            sessions: 20,
            octets: 4096,
            connections: Connections::Kept,
            messages: 1,
        };
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
        let text = render("accepted/s", &["ours", "theirs"], &[Row { load, results }]);
        let line =
            "| 4 KiB, 20 sessions, kept connections | ours | 100 | 2.00 | 0.50 | 30 | 1.50 |";
        assert_eq!(text.lines().nth(2), Some(line));
        assert_eq!(text.lines().count(), 4);
    }
}
