//! `cargo xtask tidy`: what a machine can see about the order of the house.
//!
//! Arrows between crates, what the lower floors may touch, licences of dependencies, where they come
//! from and which must not come in, sizes of files, words and paths that do not belong into the tree.
//! Each check gives findings as text.

use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::process;

mod arrows;
mod floors;
mod licence_expression;
mod licences;
mod lock;
mod sizes;
mod words;

/// `crates/xtask/tidy.toml`: exceptions and bans, each with its reason.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    /// Path of a file that may be longer than the limit = why.
    #[serde(default)]
    long_files: BTreeMap<String, String>,
    /// Package whose licence is fine although the list does not say so = why.
    #[serde(default)]
    licences: BTreeMap<String, String>,
    /// Package that must not come in = why.
    #[serde(default)]
    bans: BTreeMap<String, String>,
    /// Package that is there in versions that do not fit together = why.
    #[serde(default)]
    duplicates: BTreeMap<String, String>,
}

/// True when no check found anything.
pub(crate) fn run() -> anyhow::Result<bool> {
    let path = process::root().join("crates/xtask/tidy.toml");
    let text = std::fs::read_to_string(path).context("reading tidy.toml")?;
    let exceptions: Exceptions = toml::from_str(&text).context("tidy.toml")?;
    let sources = tracked_texts()?;

    let mut findings = arrows::check(&arrows::read_manifests()?);
    findings.extend(floors::check(&sources));
    findings.extend(licences::check(
        &licences::read_packages()?,
        &exceptions.licences,
    ));
    let mut locked = lock::read(lock::OURS)?;
    findings.extend(lock::duplicates(&locked, &exceptions.duplicates));
    locked.extend(lock::read(lock::FUZZING)?);
    findings.extend(lock::bans(&locked, &exceptions.bans));
    findings.extend(lock::sources(&locked, &lock::members()?));
    findings.extend(words::check(&sources, &words::paths_of_this_machine()));
    let lengths = sizes::lengths(&sources);
    println!("{}", sizes::report(&lengths));
    findings.extend(sizes::check(&lengths, &exceptions.long_files));

    for finding in &findings {
        println!("tidy: {finding}");
    }
    println!("tidy: {} findings", findings.len());
    Ok(findings.is_empty())
}

/// A tracked text file: its path from the top, and what is in it.
struct Source {
    path: String,
    text: String,
}

fn tracked_texts() -> anyhow::Result<Vec<Source>> {
    let top = process::root();
    let mut sources = Vec::new();
    for path in process::tracked_files()? {
        let bytes = std::fs::read(top.join(&path))
            .with_context(|| format!("reading {}", path.display()))?;
        // Binary files (fuzz seeds) have no words.
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source {
                path: path.to_string_lossy().into_owned(),
                text,
            });
        }
    }
    Ok(sources)
}
