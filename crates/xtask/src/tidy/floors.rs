//! Floors 0 and 1 and `trust` touch no files, sockets or clocks, in code as in manifests.

use super::Source;

/// Gives a finding for each line of product code on a pure floor that reaches out.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let pure = sources.iter().filter(|source| is_pure(&source.path));
    pure.flat_map(|source| {
        product_lines(&source.text).filter_map(|(number, line)| {
            let banned = BANNED.iter().find(|banned| line.contains(**banned))?;
            Some(format!(
                "{}:{number}: `{banned}` on a floor that reaches out to nothing",
                source.path
            ))
        })
    })
    .collect()
}

fn is_pure(path: &str) -> bool {
    PURE.iter().any(|name| {
        path.strip_prefix("crates/")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with("/src/"))
    })
}

/// Numbered lines above the tests, without comments.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

const PURE: [&str; 4] = ["mailtypes", "proto", "message", "trust"];

const BANNED: [&str; 11] = [
    "std::fs",
    "std::process",
    "std::env",
    "std::os::unix::net",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "SystemTime",
    "Instant",
    "tokio",
    "rusqlite",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&[Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }])
        .len()
    }

    #[test]
    fn a_file_or_socket_on_a_pure_floor_is_found() {
        assert_eq!(
            findings(
                "crates/proto/src/a.rs",
                "use std::fs;\nuse std::net::TcpStream;\n"
            ),
            2
        );
        assert_eq!(
            findings(
                "crates/message/src/a/b.rs",
                "let now = SystemTime::now();\n"
            ),
            1
        );
    }

    #[test]
    fn addresses_tests_comments_and_higher_floors_are_fine() {
        assert_eq!(
            findings(
                "crates/proto/src/a.rs",
                "use std::net::IpAddr;\n// no std::fs\n"
            ),
            0
        );
        assert_eq!(
            findings(
                "crates/proto/src/a.rs",
                "fn a() {}\n#[cfg(test)]\nuse std::fs;\n"
            ),
            0
        );
        assert_eq!(findings("crates/proto/tests/a.rs", "use std::fs;\n"), 0);
        assert_eq!(findings("crates/store/src/a.rs", "use std::fs;\n"), 0);
    }
}
