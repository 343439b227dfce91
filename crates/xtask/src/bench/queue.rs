//! `cargo xtask bench queue`: a queue for dead hosts. The rig `deferred` fills, tries and restarts it; the
//! figures are its.

use std::collections::BTreeMap;

use anyhow::Context;

use super::form::Form;
use crate::{lab, rigs};

/// Messages for each dead destination, as the rig has it.
pub(super) const PER_DESTINATION: u64 = 10;

/// What the rig has measured.
pub(super) struct Figures(BTreeMap<String, f64>);

/// Prints a table for `docs/benchmarks.md`.
pub(super) fn run(form: Form) -> anyhow::Result<bool> {
    let figures = measure(form, form.choose(1_000_000, 20_000))?;
    println!("\n{}", figures.table()?);
    Ok(true)
}

/// A run with so many messages.
pub(super) fn measure(form: Form, messages: u64) -> anyhow::Result<Figures> {
    if lab::find("smtp-source").is_none() {
        lab::unpack_tools()?;
    }
    let destinations = (messages / PER_DESTINATION).to_string();
    let mut options = vec!["--measure", "--destinations", &destinations];
    if form.quick {
        options.push("--quick");
    }
    let tally = rigs::one("deferred", &options, form.build)?;
    if let Some(skip) = tally.skips.first() {
        anyhow::bail!("{}: {}", skip.name, skip.reason);
    }
    anyhow::ensure!(tally.failed == 0, "the rig failed");
    Ok(Figures(tally.figures))
}

impl Figures {
    pub(super) fn of(&self, name: &str) -> anyhow::Result<f64> {
        let found = self.0.get(name).copied();
        found.with_context(|| format!("the rig told no figure of {name}"))
    }

    /// The most MiB that were resident, before the restart or after.
    pub(super) fn memory_mib(&self) -> anyhow::Result<f64> {
        Ok(self.of("memory")?.max(self.of("memory since")?) / 1024.0)
    }

    pub(super) fn table(&self) -> anyhow::Result<String> {
        let mut lines = vec![
            "| what | figure | aim | |".to_owned(),
            "| --- | --- | --- | --- |".to_owned(),
        ];
        for what in &ROWS {
            let value = self.of(what.figure)? / what.unit;
            let aim = what.most.map_or(String::new(), |most| {
                let verdict = if value <= most { "met" } else { "missed" };
                format!("at most {most} | {verdict}")
            });
            let aim = if aim.is_empty() {
                " | ".to_owned()
            } else {
                aim
            };
            let digits = what.digits;
            lines.push(format!("| {} | {value:.digits$} | {aim} |", what.title));
        }
        // A message is of a little more than 1,100 octets.
        let each = self.of("disk")? / self.of("messages")?;
        lines.push(format!(
            "| disk for each message, octets | {each:.0} |  | |"
        ));
        Ok(lines.join("\n"))
    }
}

/// A line of the table.
struct What {
    title: &'static str,
    figure: &'static str,
    /// Of the figure, how many make one in the table.
    unit: f64,
    digits: usize,
    most: Option<f64>,
}

const MIB: f64 = 1024.0 * 1024.0;

const ROWS: [What; 11] = [
    What {
        title: "messages in the queue",
        figure: "messages",
        unit: 1.0,
        digits: 0,
        most: None,
    },
    What {
        title: "time to accept them, s",
        figure: "accepted",
        unit: 1.0,
        digits: 0,
        most: None,
    },
    What {
        title: "disk, MiB",
        figure: "disk",
        unit: MIB,
        digits: 0,
        most: None,
    },
    What {
        title: "memory (RSS) at most while they come and are tried, MiB",
        figure: "memory",
        unit: 1024.0,
        digits: 0,
        most: Some(256.0),
    },
    What {
        title: "the same since the restart, MiB",
        figure: "memory since",
        unit: 1024.0,
        digits: 0,
        most: Some(256.0),
    },
    What {
        title: "from the start to the first greeting, s",
        figure: "greeting",
        unit: 1.0,
        digits: 2,
        most: None,
    },
    What {
        title: "from the start to the first delivery, s",
        figure: "first delivery",
        unit: 1.0,
        digits: 2,
        most: Some(2.0),
    },
    What {
        title: "new mail passed on beside the queue, messages/s",
        figure: "new mail",
        unit: 1.0,
        digits: 0,
        most: None,
    },
    What {
        title: "the same beside an empty queue",
        figure: "new mail beside nothing",
        unit: 1.0,
        digits: 0,
        most: None,
    },
    What {
        title: "time for new mail, to the same beside an empty queue",
        figure: "slower",
        unit: 1.0,
        digits: 2,
        most: Some(1.1),
    },
    What {
        title: "attempts at dead hosts meanwhile",
        figure: "attempts meanwhile",
        unit: 1.0,
        digits: 0,
        most: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_which_aims_are_met() {
        let names = ROWS.iter().map(|what| what.figure.to_owned());
        let mut figures = Figures(names.map(|name| (name, 1.0)).collect());
        figures.0.insert("slower".to_owned(), 1.25);
        figures.0.insert("disk".to_owned(), 3.0 * MIB);
        let table = figures.table().unwrap();
        assert!(
            table.contains("first delivery, s | 1.00 | at most 2 | met |"),
            "{table}"
        );
        assert!(
            table.contains("empty queue | 1.25 | at most 1.1 | missed |"),
            "{table}"
        );
        assert!(table.contains("| disk, MiB | 3 |"), "{table}");
        figures.0.remove("disk");
        assert!(figures.table().is_err());
    }
}
