//! `cargo xtask fuzz [SECONDS]`: every target of the fuzz crate, for a while each.
//!
//! Runs on the stable toolchain without a sanitizer: the code has no `unsafe` for one to watch.

use anyhow::Context;
use serde::Deserialize;

use crate::process;

/// Per target, in `cargo xtask ci`.
pub(crate) const SECONDS_CI: u32 = 10;

/// True when no target crashed.
pub(crate) fn run(seconds: u32) -> anyhow::Result<bool> {
    let manifest = process::root().join("fuzz/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).context("reading fuzz/Cargo.toml")?;
    let targets = targets(&text)?;
    anyhow::ensure!(!targets.is_empty(), "fuzz/Cargo.toml names no target");
    if !process::succeeds(process::cargo().args(["fuzz", "build", "-s", "none"]))? {
        println!("the fuzz targets do not build");
        return Ok(false);
    }
    let mut crashed = Vec::new();
    for target in &targets {
        println!("--- fuzz {target}, {seconds} s");
        if !run_target(target, seconds)? {
            crashed.push(target.as_str());
        }
    }
    for target in &crashed {
        println!("CRASH {target}: the input is the newest file in fuzz/artifacts/{target}/");
    }
    Ok(crashed.is_empty())
}

fn run_target(target: &str, seconds: u32) -> anyhow::Result<bool> {
    let corpus = format!("fuzz/corpus/{target}");
    let seeds = format!("fuzz/seeds/{target}");
    std::fs::create_dir_all(process::root().join(&corpus)).context("creating the corpus folder")?;
    let mut command = process::cargo();
    command.args(["fuzz", "run", "-s", "none", target, &corpus]);
    if process::root().join(&seeds).is_dir() {
        command.arg(&seeds);
    }
    command.args([
        "--",
        &format!("-max_total_time={seconds}"),
        "-timeout=10",
        "-print_final_stats=1",
    ]);
    process::succeeds(&mut command)
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    bin: Vec<Bin>,
}

#[derive(Deserialize)]
struct Bin {
    name: String,
}

fn targets(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest: Manifest = toml::from_str(manifest).context("fuzz/Cargo.toml")?;
    Ok(manifest.bin.into_iter().map(|bin| bin.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_bins_of_the_manifest() {
        let manifest = "[package]\nname = \"x\"\n[[bin]]\nname = \"a\"\npath = \"a.rs\"\n[[bin]]\nname = \"b\"\n";
        assert_eq!(targets(manifest).unwrap(), ["a", "b"]);
        assert!(targets("[package]\nname = \"x\"\n").unwrap().is_empty());
    }
}
