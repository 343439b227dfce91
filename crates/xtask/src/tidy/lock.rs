//! What the lock files bring in: nothing banned, nothing twice without a reason, and all of it from
//! crates.io.
//!
//! Whether a version has a known weakness is not in the lock: that takes the advisory database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::Deserialize;

use crate::process;

/// One package of a lock file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Locked {
    name: String,
    version: String,
    /// Where it comes from; none for one that lies in a folder.
    source: Option<String>,
}

/// All packages of a lock file.
pub(super) fn read(path: &str) -> anyhow::Result<Vec<Locked>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    let text = std::fs::read_to_string(process::root().join(path))
        .with_context(|| format!("reading {path}"))?;
    let lock: Lock = toml::from_str(&text).with_context(|| path.to_owned())?;
    Ok(lock.package)
}

/// The names of our own crates.
pub(super) fn members() -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::from([FUZZ.to_owned()]);
    for entry in std::fs::read_dir(process::root().join("crates")).context("reading crates/")? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// A finding for each package that must not be there, and for each ban without a reason.
pub(super) fn bans(packages: &[Locked], banned: &BTreeMap<String, String>) -> Vec<String> {
    let of = |package: &Locked| {
        let why = banned.get(&package.name)?;
        Some(format!(
            "{} {} is banned: {why}",
            package.name, package.version
        ))
    };
    packages
        .iter()
        .filter_map(of)
        .chain(without_reason("bans", banned))
        .collect()
}

/// A finding for each package in two versions that do not fit together, unless that is excepted, and
/// for each exception that nothing needs any more.
pub(super) fn duplicates(packages: &[Locked], excepted: &BTreeMap<String, String>) -> Vec<String> {
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for package in packages {
        let line = line_of(&package.version);
        versions.entry(&package.name).or_default().insert(line);
    }
    versions.retain(|_, lines| lines.len() > 1);
    let mut findings: Vec<String> = versions
        .iter()
        .filter(|(name, _)| !excepted.contains_key(**name))
        .map(|(name, lines)| {
            let lines: Vec<&str> = lines.iter().copied().collect();
            format!(
                "{name} is there {} times: {}",
                lines.len(),
                lines.join(", ")
            )
        })
        .collect();
    let stale = excepted
        .keys()
        .filter(|name| !versions.contains_key(name.as_str()));
    findings.extend(
        stale.map(|name| format!("tidy.toml: {name} is there once: `duplicates` need not name it")),
    );
    findings.extend(without_reason("duplicates", excepted));
    findings
}

/// A finding for each package that comes from elsewhere than crates.io, and is none of ours.
pub(super) fn sources(packages: &[Locked], members: &BTreeSet<String>) -> Vec<String> {
    let of = |package: &Locked| {
        let Locked {
            name,
            version,
            source,
        } = package;
        match source.as_deref() {
            Some(CRATES_IO) => None,
            Some(other) => Some(format!("{name} {version} comes from {other}")),
            None if members.contains(name) => None,
            None => Some(format!(
                "{name} {version} lies in a folder outside of crates/"
            )),
        }
    };
    packages.iter().filter_map(of).collect()
}

fn without_reason(table: &str, entries: &BTreeMap<String, String>) -> Vec<String> {
    let empty = entries.iter().filter(|(_, why)| why.trim().is_empty());
    empty
        .map(|(name, _)| format!("tidy.toml: {name} in `{table}` has no reason"))
        .collect()
}

/// The part of a version within which releases fit together: `2` of 2.1.0, `0.4` of 0.4.3.
fn line_of(version: &str) -> &str {
    let ends = |count: usize| version.match_indices('.').nth(count).map(|(at, _)| at);
    let parts = if version.starts_with("0.0.") {
        2
    } else {
        usize::from(version.starts_with("0."))
    };
    ends(parts).map_or(version, |end| &version[..end])
}

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// What is built into the product and its tests.
pub(super) const OURS: &str = "Cargo.lock";
/// What the fuzz targets are built with.
pub(super) const FUZZING: &str = "fuzz/Cargo.lock";
/// The crate of fuzz/Cargo.toml.
const FUZZ: &str = "postrider-fuzz";

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(name: &str, version: &str, source: Option<&str>) -> Locked {
        Locked {
            name: name.to_owned(),
            version: version.to_owned(),
            source: source.map(str::to_owned),
        }
    }

    fn table(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(name, why): &(&str, &str)| ((*name).to_owned(), (*why).to_owned());
        entries.iter().map(owned).collect()
    }

    #[test]
    fn a_banned_package_is_found() {
        let packages = [
            locked("openssl-sys", "0.9.1", None),
            locked("a", "1.0.0", None),
        ];
        let banned = table(&[("openssl-sys", "C"), ("native-tls", "C")]);
        assert_eq!(
            bans(&packages, &banned),
            ["openssl-sys 0.9.1 is banned: C".to_owned()]
        );
        assert_eq!(bans(&packages[1..], &banned), Vec::<String>::new());
        assert_eq!(bans(&[], &table(&[("a", " ")])).len(), 1);
    }

    #[test]
    fn what_is_there_twice_is_found_unless_excepted() {
        let twice = [locked("a", "1.2.0", None), locked("a", "2.0.0", None)];
        let fits = [locked("b", "1.2.0", None), locked("b", "1.9.0", None)];
        let zero = [locked("c", "0.2.0", None), locked("c", "0.3.9", None)];
        let none = table(&[]);
        assert_eq!(duplicates(&twice, &none), ["a is there 2 times: 1, 2"]);
        assert_eq!(duplicates(&zero, &none), ["c is there 2 times: 0.2, 0.3"]);
        assert_eq!(duplicates(&fits, &none), Vec::<String>::new());
        let why = table(&[("a", "why")]);
        assert_eq!(duplicates(&twice, &why), Vec::<String>::new());
        assert_eq!(duplicates(&fits, &why).len(), 1, "the exception is stale");
        assert_eq!(duplicates(&twice, &table(&[("a", "")])).len(), 1);
    }

    #[test]
    fn only_crates_io_and_our_own_are_sources() {
        let members = BTreeSet::from(["ours".to_owned()]);
        let fine = [
            locked("a", "1.0.0", Some(CRATES_IO)),
            locked("ours", "0.1.0", None),
        ];
        assert_eq!(sources(&fine, &members), Vec::<String>::new());
        for strange in [
            locked("a", "1.0.0", Some("git+https://example.org/a#0123")),
            locked("a", "1.0.0", Some("registry+https://example.org/index")),
            locked("a", "1.0.0", Some("sparse+https://index.example.org/")),
            locked("a", "1.0.0", None),
        ] {
            assert_eq!(
                sources(std::slice::from_ref(&strange), &members).len(),
                1,
                "{strange:?}"
            );
        }
    }
}
