//! Every dependency is under a licence that a user of Apache-2.0 OR MIT can live with.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

use super::licence_expression::acceptable;
use crate::process;

/// What may be linked or built with; MPL-2.0 because its terms end at its own files.
const ALLOWED: [&str; 14] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MPL-2.0",
    "Zlib",
    "CC0-1.0",
    "Unicode-3.0",
    "BSL-1.0",
    "0BSD",
    "Unlicense",
];

/// One package of the lock file.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

/// Gives a finding for each package outside the list and the exceptions.
pub(super) fn check(packages: &[Package], exceptions: &BTreeMap<String, String>) -> Vec<String> {
    let allowed = |name: &str| ALLOWED.contains(&name);
    let strangers = packages
        .iter()
        .filter(|package| !exceptions.contains_key(&package.name));
    strangers
        .filter_map(|package| {
            let Package {
                name,
                version,
                license,
            } = package;
            match license {
                Some(expression) if acceptable(expression, &allowed) => None,
                Some(expression) => Some(format!("{name} {version}: licence {expression}")),
                None => Some(format!("{name} {version}: no licence expression")),
            }
        })
        .collect()
}

/// All packages of the lock file, those for tests and other systems too.
pub(super) fn read_packages() -> anyhow::Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let mut command = process::cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]);
    let json = process::output_of(&mut command)?;
    let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata")?;
    Ok(metadata.packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(license: Option<&str>) -> Package {
        let license = license.map(str::to_owned);
        Package {
            name: "x".to_owned(),
            version: "1.0.0".to_owned(),
            license,
        }
    }

    #[test]
    fn strangers_are_found_unless_excepted() {
        let packages = [
            package(Some("MIT/Apache-2.0")),
            package(Some("AGPL-3.0-only")),
            package(None),
        ];
        assert_eq!(check(&packages, &BTreeMap::new()).len(), 2);
        let excepted = BTreeMap::from([("x".to_owned(), "why".to_owned())]);
        assert!(check(&packages, &excepted).is_empty());
    }
}
