//! The keys of the file: what each takes, and an example of it.

use std::net::SocketAddr;
use std::path::PathBuf;

use mailtypes::{Domain, Mailbox};
use proto::smtp::LineEnds;
use toml::de::{DeTable, DeValue};

use super::complaint::Complaint;
use super::endpoint::Endpoint;
use super::table::{Entry, unknown_key};
use super::{Config, Listen, LogForm, limits, outgoing};

/// Every key, with an example of a right line.
pub(super) const KEYS: [(&str, &str); 17] = [
    ("hostname", r#"hostname = "mx.example.org""#),
    ("data", r#"data = "/var/lib/postrider""#),
    ("domains", r#"domains = ["example.org", "example.net"]"#),
    ("listen", r#"listen = ["0.0.0.0:25", "[::]:25"]"#),
    ("user", r#"user = "postrider""#),
    ("postmaster", r#"postmaster = "ann@example.org""#),
    ("message_size_max", r#"message_size_max = "50 MiB""#),
    ("recipients_max", "recipients_max = 1000"),
    ("connections_max", "connections_max = 10000"),
    (
        "connections_per_address_max",
        "connections_per_address_max = 100",
    ),
    ("errors_max", "errors_max = 50"),
    ("command_timeout", r#"command_timeout = "5m""#),
    ("body_timeout", r#"body_timeout = "3m""#),
    ("session_timeout", r#"session_timeout = "4h""#),
    ("log", r#"log = "text""#),
    ("metrics_listen", r#"metrics_listen = "127.0.0.1:9125""#),
    (
        "traces_endpoint",
        r#"traces_endpoint = "http://127.0.0.1:4318""#,
    ),
];

/// Takes all that is right; what is wrong goes to `found`.
pub(super) fn take(text: &str, found: &mut Vec<Complaint>) -> Config {
    let mut config = Config::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    found.extend(errors.iter().map(|error| {
        Complaint {
            span: error.span().unwrap_or(0..0),
            title: "the file is not valid TOML".to_owned(),
            label: error.message().to_owned(),
            help:
                r#"a line is `key = value`, and text stands in quotes: hostname = "mx.example.org""#
                    .to_owned(),
        }
    }));
    if !found.is_empty() {
        return config;
    }
    let all = || KEYS.iter().chain(&outgoing::KEYS);
    let known: Vec<&str> = all().map(|(name, _)| *name).collect();
    let mut domains_given = false;
    for (key, value) in table.get_ref() {
        let name: &str = key.get_ref();
        let Some((key, example)) = all().find(|(known, _)| *known == name) else {
            found.push(unknown_key(name, key.span(), &known));
            continue;
        };
        domains_given |= *key == "domains";
        take_key(
            &mut config,
            &Entry {
                key,
                value,
                example,
                known: &known,
            },
            found,
        );
    }
    // Mail to the host itself is ours, unless the file says whose mail is.
    if !domains_given {
        config.domains = vec![config.hostname.clone()];
    }
    config
}

fn take_key(config: &mut Config, entry: &Entry<'_>, found: &mut Vec<Complaint>) {
    use limits::{CONNECTIONS_RANGE, ERRORS_RANGE, RECIPIENTS_RANGE, TIMEOUT_RANGE};
    match entry.key {
        "hostname" => put(&mut config.hostname, entry.parsed(Domain::parse, found)),
        "data" => put(&mut config.data, entry.parsed(folder, found)),
        "domains" => put(&mut config.domains, domains(entry, found)),
        "listen" => put(&mut config.listen, listen(entry, found)),
        "user" => put(&mut config.user, entry.parsed(user, found).map(Some)),
        "postmaster" => put(
            &mut config.postmaster,
            entry.parsed(Mailbox::parse, found).map(Some),
        ),
        "message_size_max" => put(
            &mut config.message_size_max,
            entry.size(&limits::MESSAGE_SIZE_RANGE, found),
        ),
        "recipients_max" => put(
            &mut config.recipients_max,
            entry.number(&RECIPIENTS_RANGE, found),
        ),
        "connections_max" => put(
            &mut config.connections_max,
            entry.number(&CONNECTIONS_RANGE, found),
        ),
        "connections_per_address_max" => put(
            &mut config.connections_per_address_max,
            entry.number(&CONNECTIONS_RANGE, found),
        ),
        "errors_max" => put(&mut config.errors_max, entry.number(&ERRORS_RANGE, found)),
        "command_timeout" => put(
            &mut config.command_timeout,
            entry.duration(&TIMEOUT_RANGE, found),
        ),
        "body_timeout" => put(
            &mut config.body_timeout,
            entry.duration(&TIMEOUT_RANGE, found),
        ),
        "session_timeout" => put(
            &mut config.session_timeout,
            entry.duration(&TIMEOUT_RANGE, found),
        ),
        "metrics_listen" => put(
            &mut config.metrics_listen,
            entry.parsed(address, found).map(Some),
        ),
        "traces_endpoint" => put(
            &mut config.traces_endpoint,
            entry.parsed(Endpoint::parse, found).map(Some),
        ),
        "log" => put(&mut config.log, entry.word(&LOG_FORMS, found)),
        _ => config.outgoing.take(entry, found),
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn folder(text: &str) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        return Err("the name of the folder is empty");
    }
    Ok(PathBuf::from(text))
}

fn domains(entry: &Entry<'_>, found: &mut Vec<Complaint>) -> Option<Vec<Domain>> {
    let mut all: Vec<Domain> = Vec::new();
    for one in &entry.entries(found)? {
        let domain = one.parsed(Domain::parse, found)?;
        if all.contains(&domain) {
            found.push(one.complain("this domain is there twice".to_owned()));
            return None;
        }
        all.push(domain);
    }
    Some(all)
}

fn user(text: &str) -> Result<String, &'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        return Err("this is no name of a user");
    }
    Ok(text.to_owned())
}

/// `"ADDRESS:PORT"`, or `{ address = "ADDRESS:PORT", line_ends = "repair" }`.
fn listen(entry: &Entry<'_>, found: &mut Vec<Complaint>) -> Option<Vec<Listen>> {
    let mut all: Vec<Listen> = Vec::new();
    let entries = entry.entries(found)?;
    for one in &entries {
        let listen = match one.value.get_ref() {
            DeValue::Table(table) => listen_table(one, table, found)?,
            _ => Listen::plain(one.parsed(address, found)?),
        };
        if all.iter().any(|other| other.address == listen.address) {
            found.push(one.complain("this address is there twice".to_owned()));
            return None;
        }
        if let Some(other) = all
            .iter()
            .find(|other| overlap(other.address, listen.address))
        {
            let text = format!(
                "{} overlaps with it: the same port on all addresses",
                other.address
            );
            found.push(one.complain(text));
            return None;
        }
        all.push(listen);
    }
    Some(all)
}

/// Whether one of the two is the port of the other on every address of its family.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    any && a.is_ipv4() == b.is_ipv4() && a.port() == b.port() && a.port() != 0
}

fn listen_table(
    entry: &Entry<'_>,
    table: &DeTable<'_>,
    found: &mut Vec<Complaint>,
) -> Option<Listen> {
    const EXAMPLE: &str = r#"listen = [{ address = "127.0.0.1:2525", line_ends = "repair" }]"#;
    const KNOWN: [&str; 2] = ["address", "line_ends"];
    let mut place = None;
    let mut line_ends = LineEnds::Refuse;
    for (key, value) in table {
        let name: &str = key.get_ref();
        let inner = Entry {
            key: name,
            value,
            example: EXAMPLE,
            known: &KNOWN,
        };
        match name {
            "address" => place = Some(inner.parsed(address, found)?),
            "line_ends" => line_ends = inner.word(&LINE_ENDS, found)?,
            _ => {
                found.push(unknown_key(name, key.span(), &KNOWN));
                return None;
            }
        }
    }
    let Some(address) = place else {
        found.push(Complaint {
            help: format!("a right one: {EXAMPLE}"),
            ..entry.complain("`address` is missing here".to_owned())
        });
        return None;
    };
    Some(Listen { address, line_ends })
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "this is no address with a port (IPv6 stands in brackets)")
}

const LOG_FORMS: [(&str, LogForm); 2] = [("text", LogForm::Text), ("json", LogForm::Json)];
const LINE_ENDS: [(&str, LineEnds); 2] =
    [("refuse", LineEnds::Refuse), ("repair", LineEnds::Repair)];
