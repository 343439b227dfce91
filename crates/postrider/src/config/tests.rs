//! Right files, and wrong ones with the text that their author gets to read.

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, "postrider.toml", Path::new("/etc/postrider"))
        .map_err(|error| error.to_string())
}

#[test]
fn a_full_file_is_understood() {
    let config = parse(include_str!("../../../../examples/postrider.toml")).unwrap();
    assert_eq!(config.hostname.as_str(), "mx.example.org");
    assert_eq!(config.listen.len(), 2);
}

/// Whoever takes a `#` away must not get a wrong file.
#[test]
fn all_of_the_example_holds_together() {
    let mut lines: Vec<&str> = Vec::new();
    let name = |line: &str| {
        let (name, _) = line.split_once(" = ")?;
        name.chars()
            .all(|c| c.is_ascii_lowercase() || c == '_')
            .then(|| name.to_owned())
    };
    for line in include_str!("../../../../examples/postrider.toml").lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        if let Some(key) = name(bare) {
            // An alternative stands below what it replaces.
            lines.retain(|before| name(before).as_ref() != Some(&key));
            lines.push(bare);
        }
    }
    let known = keys::KEYS.iter().chain(&outgoing::KEYS);
    let missing: Vec<_> = known
        .filter(|(key, _)| !lines.iter().any(|line| name(line).as_deref() == Some(*key)))
        .collect();
    assert!(missing.is_empty(), "the example does not have {missing:?}");
    let config = parse(&lines.join("\n")).unwrap();
    assert_eq!(config.outgoing.routes_text.len(), 2);
    assert_eq!(doubts(&config, &[]), Vec::<String>::new());
}

#[test]
fn what_may_be_and_is_hardly_meant_is_told() {
    for (text, wanted) in [
        (
            "retry_first = \"5h\"",
            Some("`retry_first` (5h) is longer than `retry_longest` (4h)"),
        ),
        (
            "queue_lifetime = \"2h\"",
            Some("`delay_warning` (4h) is not shorter than `queue_lifetime` (2h)"),
        ),
        (
            "routes = { \"example.org\" = \"[192.0.2.1]\" }",
            Some("the route of example.org is not used"),
        ),
        (
            "routes = { \"*\" = \"[127.0.0.1]:25\" }",
            Some("the route * leads to this server itself"),
        ),
        (
            "routes = { \"*\" = \"[192.0.2.25]:25\" }",
            Some("the route * leads to this server itself"),
        ),
        (
            "routes = { \"*\" = \"[mx.example.org]\" }",
            Some("the route * leads to this server itself"),
        ),
        ("routes = { \"*\" = \"[127.0.0.1]:2525\" }", None),
        ("metrics_listen = \"127.0.0.1:9125\"", None),
        ("metrics_listen = \"[::1]:9125\"", None),
        (
            "metrics_listen = \"127.0.0.1:25\"",
            Some("metrics_listen = \"127.0.0.1:25\" is a port of `listen`"),
        ),
        (
            "metrics_listen = \"0.0.0.0:9125\"",
            Some("metrics_listen = \"0.0.0.0:9125\": whoever"),
        ),
        ("traces_endpoint = \"http://127.0.0.1:4318\"", None),
        ("traces_endpoint = \"http://[::1]:4318/\"", None),
        ("traces_endpoint = \"http://localhost:4318\"", None),
        (
            "traces_endpoint = \"http://192.0.2.1:4318\"",
            Some("traces_endpoint = \"http://192.0.2.1:4318\": addresses of mail leave"),
        ),
        (
            "traces_endpoint = \"http://collector.example.org\"",
            Some(
                "traces_endpoint = \"http://collector.example.org:4318\": addresses of mail leave",
            ),
        ),
        (
            "routes = { \"*\" = \"[192.0.2.1]\", \".example.org\" = \"[192.0.2.2]\" }",
            None,
        ),
    ] {
        let head = "hostname = \"mx.example.org\"\ndomains = [\"example.org\"]\n";
        let config = parse(&format!("{head}{text}\n")).unwrap();
        let own = ["192.0.2.25".parse().unwrap()];
        let doubts = doubts(&config, &own);
        match wanted {
            Some(wanted) => assert!(doubts[0].starts_with(wanted), "{text}: {doubts:?}"),
            None => assert!(doubts.is_empty(), "{text}: {doubts:?}"),
        }
    }
}

#[test]
fn an_empty_file_has_safe_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.domains, std::slice::from_ref(&config.hostname));
    assert_eq!(config.data, Path::new("/var/lib/postrider"));
}

#[test]
fn values_become_types() {
    let config = parse(
        r#"
        hostname = "MX.Example.org."
        data = "mail"
        listen = ["127.0.0.1:25", { address = "[::1]:2525", line_ends = "repair" }]
        message_size_max = "1 MiB"
        session_timeout = "1h"
        log = "json"
        "#,
    )
    .unwrap();
    assert_eq!(config.domains, [Domain::parse("mx.example.org").unwrap()]);
    assert_eq!(config.data, Path::new("/etc/postrider/mail"));
    assert_eq!(config.listen[1].line_ends, LineEnds::Repair);
    assert_eq!(config.listen[0].line_ends, LineEnds::Refuse);
    assert_eq!(config.message_size_max, 1 << 20);
    assert_eq!(config.session_timeout, Duration::from_hours(1));
    assert_eq!(config.log, LogForm::Json);
}

#[test]
fn every_example_is_right() {
    for (key, example) in keys::KEYS {
        parse(example).unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

#[test]
fn wrong_files_are_told_with_line_and_caret() {
    let golden = include_str!("tests/wrong.txt").replace('\r', "");
    let mut written = String::new();
    for case in golden.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once("---\n").unwrap();
        let error = parse(text).expect_err(title);
        written += &format!("=== {title}\n{text}---\n{error}\n\n");
    }
    let same = written.trim_end() == golden.trim_end();
    assert!(same, "tests/wrong.txt should be:\n{written}");
}
