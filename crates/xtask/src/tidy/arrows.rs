//! Every arrow points down, and crates on one floor do not import each other (DESIGN.md).

use std::path::Path;

use anyhow::Context;

use crate::process;

/// Where each crate lives. A crate that is not here is a finding: give it a floor.
pub(super) const FLOORS: [(&str, u8); 15] = [
    ("mailtypes", 0),
    ("proto", 1),
    ("message", 1),
    ("trust", 2),
    ("net", 2),
    ("store", 2),
    ("receive", 3),
    ("deliver", 3),
    ("access", 3),
    ("admin", 3),
    ("postrider", 4),
    ("testkit", TESTKIT),
    ("xtask", 6),
    ("postrider-fuzz", 6),
    ("benches", 6),
];

/// Worlds for tests stand above what they are made of; tests of any floor may use them.
const TESTKIT: u8 = 5;

/// One dependency of one crate of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) for_tests: bool,
}

/// Gives a finding for each arrow that does not point down.
pub(super) fn check(arrows: &[Arrow]) -> Vec<String> {
    let mut findings = Vec::new();
    for arrow in arrows {
        let (Some(from), to) = (floor(&arrow.from), floor(&arrow.to)) else {
            findings.push(format!(
                "{}: a crate without a floor; add it to FLOORS",
                arrow.from
            ));
            continue;
        };
        if from <= 2 && !arrow.for_tests && FLOOR_BANS.iter().any(|ban| ban.hits(arrow, from)) {
            findings.push(format!(
                "{} (floor {from}) may not use {}",
                arrow.from, arrow.to
            ));
        }
        let Some(to) = to else { continue };
        let fine = to < from || (arrow.for_tests && to == TESTKIT);
        if !fine {
            findings.push(format!(
                "{} (floor {from}) points to {} (floor {to}): arrows point down only",
                arrow.from, arrow.to
            ));
        }
    }
    findings.dedup();
    findings
}

/// Foreign crates that a low floor keeps out.
struct Ban {
    package: &'static str,
    up_to: u8,
    /// A floor-2 crate that is pure all the same.
    also: &'static str,
}

impl Ban {
    fn hits(&self, arrow: &Arrow, floor: u8) -> bool {
        arrow.to == self.package && (floor <= self.up_to || arrow.from == self.also)
    }
}

const FLOOR_BANS: [Ban; 4] = [
    Ban {
        package: "tokio",
        up_to: 1,
        also: "trust",
    },
    Ban {
        package: "rusqlite",
        up_to: 1,
        also: "trust",
    },
    Ban {
        package: "socket2",
        up_to: 1,
        also: "trust",
    },
    Ban {
        package: "rustix",
        up_to: 1,
        also: "trust",
    },
];

pub(super) fn floor(name: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, floor)| *floor)
}

/// All arrows of the manifests under `crates/`, those to foreign crates too.
pub(super) fn read_manifests() -> anyhow::Result<Vec<Arrow>> {
    let mut arrows = Vec::new();
    let folder = process::root().join("crates");
    for entry in std::fs::read_dir(&folder).context("reading crates/")? {
        let manifest = entry?.path().join("Cargo.toml");
        if manifest.is_file() {
            arrows.extend(read_manifest(&manifest)?);
        }
    }
    arrows.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
    Ok(arrows)
}

fn read_manifest(path: &Path) -> anyhow::Result<Vec<Arrow>> {
    let text = std::fs::read_to_string(path)?;
    arrows_of(&text).with_context(|| path.display().to_string())
}

fn arrows_of(manifest: &str) -> anyhow::Result<Vec<Arrow>> {
    let manifest: toml::Table = toml::from_str(manifest)?;
    let from = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(toml::Value::as_str)
        .context("a manifest without a package name")?;
    let mut arrows = arrows_of_table(from, &manifest);
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        for table in targets.values().filter_map(toml::Value::as_table) {
            arrows.extend(arrows_of_table(from, table));
        }
    }
    Ok(arrows)
}

fn arrows_of_table(from: &str, table: &toml::Table) -> Vec<Arrow> {
    let kinds = [
        ("dependencies", false),
        ("build-dependencies", false),
        ("dev-dependencies", true),
    ];
    let mut arrows = Vec::new();
    for (kind, for_tests) in kinds {
        let Some(dependencies) = table.get(kind).and_then(toml::Value::as_table) else {
            continue;
        };
        for (name, value) in dependencies {
            let renamed = value.get("package").and_then(toml::Value::as_str);
            let to = renamed.unwrap_or(name).to_owned();
            arrows.push(Arrow {
                from: from.to_owned(),
                to,
                for_tests,
            });
        }
    }
    arrows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(manifest: &str) -> usize {
        check(&arrows_of(manifest).unwrap()).len()
    }

    #[test]
    fn arrows_point_down() {
        let ok = "[package]\nname = \"receive\"\n[dependencies]\nstore.workspace = true\ntokio = \"1\"\n";
        assert_eq!(findings(ok), 0);
        let up = "[package]\nname = \"store\"\n[dependencies]\nreceive.workspace = true\n";
        assert_eq!(findings(up), 1);
        let sideways = "[package]\nname = \"receive\"\n[dependencies]\ndeliver.workspace = true\n";
        assert_eq!(findings(sideways), 1);
        let hidden = "[package]\nname = \"store\"\n[target.'cfg(unix)'.dependencies]\nx = { package = \"net\", path = \"\" }\n";
        assert_eq!(findings(hidden), 1);
    }

    #[test]
    fn only_tests_reach_up_and_only_to_testkit() {
        let tests = "[package]\nname = \"receive\"\n[dev-dependencies]\ntestkit.workspace = true\n";
        assert_eq!(findings(tests), 0);
        let product = "[package]\nname = \"receive\"\n[dependencies]\ntestkit.workspace = true\n";
        assert_eq!(findings(product), 1);
        let sideways =
            "[package]\nname = \"receive\"\n[dev-dependencies]\ndeliver.workspace = true\n";
        assert_eq!(findings(sideways), 1);
    }

    #[test]
    fn low_floors_know_no_runtime() {
        for name in ["proto", "message", "mailtypes", "trust"] {
            let manifest = format!("[package]\nname = \"{name}\"\n[dependencies]\ntokio = \"1\"\n");
            assert_eq!(findings(&manifest), 1, "{name}");
        }
        assert_eq!(
            findings("[package]\nname = \"net\"\n[dependencies]\ntokio = \"1\"\n"),
            0
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_found() {
        assert_eq!(
            findings("[package]\nname = \"utils\"\n[dependencies]\nproto = \"1\"\n"),
            1
        );
    }
}
