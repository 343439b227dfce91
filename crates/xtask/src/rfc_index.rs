//! `cargo xtask rfc-index`: which file obeys which section of which RFC, and the known gaps.
//!
//! It knows one spelling: `RFC 5321 §4.1.1.4`, more sections after commas, and `todo RFC …: text`.

use std::collections::{BTreeMap, BTreeSet};

use crate::process;

/// Prints the index; there is nothing to fail.
pub(crate) fn run() -> anyhow::Result<bool> {
    let mut index = Index::default();
    for path in process::tracked_files()? {
        let name = path.to_string_lossy().into_owned();
        if !KINDS.iter().any(|kind| name.ends_with(kind)) || name.starts_with("crates/xtask/") {
            continue;
        }
        let text = std::fs::read(process::root().join(&path))?;
        index.read(&name, &String::from_utf8_lossy(&text));
    }
    print!("{}", index.render());
    Ok(true)
}

/// Files that cite.
const KINDS: [&str; 3] = [".rs", ".smtp", ".py"];

#[derive(Debug, Default)]
struct Index {
    /// RFC number and section (empty: the whole RFC) → files.
    rules: BTreeMap<(u32, Section), BTreeSet<String>>,
    gaps: Vec<String>,
}

/// A section as numbers, so that 4.10 comes after 4.9. Appendices sort behind.
type Section = Vec<String>;

impl Index {
    fn read(&mut self, file: &str, text: &str) {
        for (index, line) in text.lines().enumerate() {
            if let Some((_, gap)) = line.split_once("todo RFC ") {
                self.gaps
                    .push(format!("{file}:{}: RFC {}", index + 1, gap.trim()));
            }
            for (number, sections) in citations(line) {
                for section in sections {
                    self.rules
                        .entry((number, section))
                        .or_default()
                        .insert(file.to_owned());
                }
            }
        }
    }

    fn render(&self) -> String {
        let mut lines = Vec::new();
        for ((number, section), files) in &self.rules {
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let section: Vec<&str> = section
                .iter()
                .map(|part| part.trim_start_matches('0'))
                .collect();
            let place = match section.join(".").as_str() {
                "" => format!("RFC {number}"),
                section => format!("RFC {number} §{section}"),
            };
            lines.push(format!("{place}: {}", files.join(", ")));
        }
        lines.push(format!("\n{} gaps", self.gaps.len()));
        lines.extend(self.gaps.iter().cloned());
        lines.join("\n") + "\n"
    }
}

/// All `RFC N §a, §b` of one line; an RFC without a section has one empty section.
fn citations(line: &str) -> Vec<(u32, Vec<Section>)> {
    let mut found = Vec::new();
    for part in line.split("RFC ").skip(1) {
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        let Ok(number) = part[..digits].parse() else {
            continue;
        };
        let mut sections: Vec<Section> = part.split('§').skip(1).map(section).collect();
        if sections.is_empty() {
            sections.push(Vec::new());
        }
        found.push((number, sections));
    }
    found
}

fn section(text: &str) -> Section {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .unwrap_or(text.len());
    let parts = text[..end].trim_end_matches('.').split('.');
    parts
        .filter(|part| !part.is_empty())
        .map(|part| format!("{part:0>4}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_and_gaps_are_found() {
        let mut index = Index::default();
        index.read(
            "a.rs",
            "// RFC 5321 §4.10, §4.9.1; RFC 1870\n// todo RFC 3461 §4.1: NOTIFY\n",
        );
        let wanted = "RFC 1870: a.rs\nRFC 3461 §4.1: a.rs\nRFC 5321 §4.9.1: a.rs\nRFC 5321 §4.10: a.rs\n\n\
                      1 gaps\na.rs:2: RFC 3461 §4.1: NOTIFY\n";
        assert_eq!(index.render(), wanted);
    }

    #[test]
    fn other_spellings_are_not_citations() {
        assert!(citations("RFC5321 section 3, RFC x §1, rfc 1 §2").is_empty());
    }
}
