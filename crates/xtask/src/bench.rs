//! `cargo xtask bench NAME [--quick]`: how fast, how large, and how that grows; tables for `docs/benchmarks.md`.
//!
//! The machine is shared, so single numbers mean little: the peers take turns within each round,
//! the tables give medians, and ratios to peers measured in the same minutes are what counts.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use crate::{lab, process};

mod accept;
mod arrivals;
mod exim;
mod form;
mod growth;
mod idle;
mod latency;
mod load;
mod local;
mod mailing;
mod peer;
mod percentile;
mod plot;
mod postfix;
mod postrider;
mod queue;
mod relay;
mod session;
mod sink;
mod table;
mod usage;
mod users;

pub(crate) use form::Form;

/// One of them, for the command line.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(Form) -> anyhow::Result<bool>,
}

const BENCHES: [Bench; 7] = [
    Bench {
        name: "accept",
        about: "messages accepted per second, beside smtp-sink and Postfix",
        run: accept::run,
    },
    Bench {
        name: "relay",
        about: "messages passed on per second, end to end, beside Postfix",
        run: relay::run,
    },
    Bench {
        name: "local",
        about: "messages per second into 1 and 100 mailboxes, beside Exim and Postfix",
        run: local::run,
    },
    Bench {
        name: "latency",
        about: "until the final 250 and until delivery, at 500 messages a second",
        run: latency::run,
    },
    Bench {
        name: "idle",
        about: "memory and descriptors of 10,000 idle connections, beside Postfix",
        run: idle::run,
    },
    Bench {
        name: "queue",
        about: "a million messages for dead hosts: disk, memory, restart, new mail beside them",
        run: queue::run,
    },
    Bench {
        name: "growth",
        about: "how the cost of a message grows with the store and the queue; draws docs/plots",
        run: growth::run,
    },
];

/// What follows `cargo xtask bench`: a name and options. Without a name, or with an unknown one, says
/// which there are.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<bool> {
    let Some((name, options)) = words.split_first() else {
        println!("{}", list());
        return Ok(true);
    };
    match BENCHES.iter().find(|bench| bench.name == *name) {
        Some(bench) => (bench.run)(Form::parse(options)?),
        // A bench for the rigs, which need its word only.
        None if *name == "through" => relay::through(options),
        None => {
            println!("no bench {name}\n{}", list());
            Ok(false)
        }
    }
}

/// Those that CI runs, shortly: whether they work, not how fast.
pub(crate) fn shortly() -> anyhow::Result<bool> {
    for run in [latency::run, idle::run, local::run] {
        if !run(Form::SHORTEST)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn list() -> String {
    let lines = BENCHES
        .iter()
        .map(|bench| format!("  {:<8} {}", bench.name, bench.about));
    let lines: Vec<String> = lines.collect();
    format!(
        "cargo xtask bench NAME [OPTIONS]\n{}\noptions: {}",
        lines.join("\n"),
        form::KNOWN
    )
}

/// Rounds of the full form; medians of fewer than five hide nothing.
const ROUNDS: usize = 5;
/// How long a peer may take to finish its deliveries after a load.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// The folder of this run, with the generator at hand.
fn empty_folder() -> anyhow::Result<PathBuf> {
    if lab::find("smtp-source").is_none() {
        lab::unpack_tools()?;
    }
    let folder = process::target_folder().join("bench");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("removing the last bench folder")?;
    }
    std::fs::create_dir_all(&folder).context("creating target/bench")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_known_name_it_says_which_there_are() {
        assert!(run(&[]).unwrap());
        assert!(!run(&["no-such-bench"]).unwrap());
        for bench in &BENCHES {
            assert!(list().contains(bench.name), "{}", bench.name);
            // An unknown option is refused before anything starts.
            assert!(run(&[bench.name, "--no-such-option"]).is_err());
        }
    }
}
