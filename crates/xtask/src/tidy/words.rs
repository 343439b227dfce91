//! Words that mark unfinished work, and paths that mean something on one machine only.

use std::path::Path;

use super::Source;
use crate::process;

/// Gives a finding for each line that holds one of them.
pub(super) fn check(sources: &[Source], machine_paths: &[String]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources
        .iter()
        .filter(|source| !source.path.ends_with("Cargo.lock"))
    {
        for (index, line) in source.text.lines().enumerate() {
            let found = WORDS
                .iter()
                .copied()
                .chain(machine_paths.iter().map(String::as_str))
                .find(|word| line.contains(word));
            if let Some(word) = found {
                findings.push(format!("{}:{}: `{word}`", source.path, index + 1));
            }
        }
    }
    findings
}

/// The checkout, the folder around it and the home folder, unless they are everybody's.
pub(super) fn paths_of_this_machine() -> Vec<String> {
    let root = process::root();
    let root = root.canonicalize().unwrap_or(root);
    let home = std::env::var_os("HOME");
    let folders = [
        Some(root.as_path()),
        root.parent(),
        home.as_deref().map(Path::new),
    ];
    let mut paths: Vec<String> = folders
        .into_iter()
        .flatten()
        .map(|folder| format!("{}/", folder.to_string_lossy().trim_end_matches('/')))
        .filter(|path| !EVERYBODYS.contains(&path.as_str()))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

/// Folders that every machine has, so that a text may speak of them.
const EVERYBODYS: [&str; 9] = [
    "/",
    "/home/",
    "/mnt/",
    "/opt/",
    "/root/",
    "/srv/",
    "/tmp/",
    "/usr/src/",
    "/var/tmp/",
];

/// Written in halves, so that this file does not find itself.
const WORDS: [&str; 6] = [
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimpl", "emented!("),
    concat!("#[ign", "ore]"),
    concat!("<<<<", "<<< "),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> usize {
        let source = Source {
            path: "a.rs".to_owned(),
            text: text.to_owned(),
        };
        check(&[source], &["/somewhere/mine/".to_owned()]).len()
    }

    #[test]
    fn unfinished_words_and_machine_paths_are_found() {
        assert_eq!(findings(concat!("// FIX", "ME later\n")), 1);
        assert_eq!(findings(concat!("todo", "!()\n")), 1);
        assert_eq!(findings("see /somewhere/mine/notes\n"), 1);
        assert_eq!(
            findings("// todo RFC 3461 §4.1: NOTIFY\nsee /etc/postrider\n"),
            0
        );
    }

    #[test]
    fn everybodys_folders_are_not_machine_paths() {
        assert!(
            paths_of_this_machine()
                .iter()
                .all(|path| path.len() > 1 && path != "/tmp/")
        );
    }
}
