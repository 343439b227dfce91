//! `check`: is the configuration right, and with `--data`: is every body readable.

use admin::{Answer, Request};

use super::unexpected;
use crate::ask::ask;
use crate::config::{Config, Outgoing, doubts, write_duration, write_size};
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;
use crate::{place, privileges, server};

pub(crate) fn run(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    match &global.data {
        None => check_config(global, out),
        // Alone it means the folder that would be found without it.
        Some(None) => {
            let global = Global {
                data: None,
                ..global.clone()
            };
            check_data(&global, out)
        }
        Some(Some(_)) => check_data(global, out),
    }
}

fn check_config(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    let (path, config) = place::config(global)?;
    let lines = describe(&config);
    let notes: Vec<String> = notes(&config).collect();
    if global.json {
        let values: serde_json::Map<_, _> = lines
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        out.json(
            &serde_json::json!({"config": path, "right": true, "values": values, "notes": notes}),
        )?;
        return Ok(code::DONE);
    }
    out.line(format!(
        "{} is right. It says, defaults included:",
        path.display()
    ))?;
    for (key, value) in lines {
        out.line(format!("  {key} = {value}"))?;
    }
    for note in notes {
        out.line(format!("note: {note}"))?;
    }
    Ok(code::DONE)
}

/// What the file may well say, and this machine is not ready for yet, or is hardly meant.
fn notes(config: &Config) -> impl Iterator<Item = String> {
    let user = config
        .user
        .as_deref()
        .map(|user| privileges::server_user(Some(user)));
    let failure = user.and_then(Result::err);
    let doubts = doubts(config, &server::own_addresses(config));
    failure
        .map(|failure| failure.to_string())
        .into_iter()
        .chain(doubts)
}

fn describe(config: &Config) -> Vec<(&'static str, String)> {
    let join = |texts: Vec<String>| texts.join(", ");
    let mut lines = vec![
        ("hostname", config.hostname.to_string()),
        ("data", config.data.display().to_string()),
        (
            "domains",
            join(config.domains.iter().map(ToString::to_string).collect()),
        ),
        (
            "listen",
            join(
                config
                    .listen
                    .iter()
                    .map(|l| l.address.to_string())
                    .collect(),
            ),
        ),
        (
            "user",
            config
                .user
                .clone()
                .unwrap_or_else(|| "(postrider, when root starts it)".to_owned()),
        ),
        (
            "postmaster",
            config
                .postmaster
                .as_ref()
                .map_or_else(|| "(the oldest account)".to_owned(), ToString::to_string),
        ),
        ("message_size_max", write_size(config.message_size_max)),
        ("recipients_max", config.recipients_max.to_string()),
        ("connections_max", config.connections_max.to_string()),
        (
            "connections_per_address_max",
            config.connections_per_address_max.to_string(),
        ),
        ("errors_max", config.errors_max.to_string()),
        ("command_timeout", write_duration(config.command_timeout)),
        ("body_timeout", write_duration(config.body_timeout)),
        ("session_timeout", write_duration(config.session_timeout)),
        ("log", format!("{:?}", config.log).to_lowercase()),
        (
            "metrics_listen",
            config
                .metrics_listen
                .map_or_else(|| "(nowhere)".to_owned(), |address| address.to_string()),
        ),
        (
            "traces_endpoint",
            config
                .traces_endpoint
                .as_ref()
                .map_or_else(|| "(nobody)".to_owned(), ToString::to_string),
        ),
    ];
    lines.extend(describe_outgoing(&config.outgoing));
    lines
}

fn describe_outgoing(outgoing: &Outgoing) -> Vec<(&'static str, String)> {
    let or = |texts: Vec<String>, none: &str| match texts.as_slice() {
        [] => none.to_owned(),
        texts => texts.join(", "),
    };
    let texts = |list: &[std::net::SocketAddr]| list.iter().map(ToString::to_string).collect();
    let routes = outgoing.routes_text.iter();
    let routes = routes.map(|(domain, hop)| format!("{domain} → {hop}"));
    let networks = outgoing.relay_networks.iter().map(ToString::to_string);
    let schedule = &outgoing.schedule;
    let warning = schedule.warning.unwrap_or(schedule.lifetime);
    vec![
        ("relay_networks", or(networks.collect(), "(nobody)")),
        ("routes", or(routes.collect(), "(by MX records)")),
        (
            "dns_servers",
            or(texts(&outgoing.dns_servers), "(those of /etc/resolv.conf)"),
        ),
        ("retry_first", write_duration(schedule.first)),
        ("retry_longest", write_duration(schedule.longest)),
        ("delay_warning", write_duration(warning)),
        ("queue_lifetime", write_duration(schedule.lifetime)),
        ("reply_timeout", write_duration(outgoing.reply_timeout)),
        ("deliveries_max", outgoing.deliveries_max.to_string()),
        (
            "deliveries_per_host_max",
            outgoing.deliveries_per_host_max.to_string(),
        ),
    ]
}

fn check_data(global: &Global, out: &mut Output) -> Result<u8, Failure> {
    let answer = ask(global, Request::Check)?;
    if global.json {
        out.json(&answer)?;
    }
    let Answer::Check(check) = answer else {
        return Err(unexpected());
    };
    let right = check.problems.is_empty();
    if !global.json {
        for problem in &check.problems {
            let id = problem.id.as_deref().unwrap_or("-");
            out.line(format!("problem: {id}: {}", problem.text))?;
        }
        let verdict = if right { "all are whole" } else { "see above" };
        out.line(format!(
            "read {} bodies of {} octets: {verdict}",
            check.bodies, check.octets
        ))?;
    }
    Ok(if right { code::DONE } else { code::NO })
}
