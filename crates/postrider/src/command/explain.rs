//! `explain route`: the dry run of a delivery.

use admin::view::AddressView;
use admin::{Answer, Request};
use deliver::Explained;
use mailtypes::Mailbox;
use serde_json::json;

use super::unexpected;
use crate::ask::ask;
use crate::config::Config;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::{Output, note};
use crate::{place, server};

/// What to explain.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Where mail for an address would go, and why: asks the DNS, connects to nobody.
    Route {
        /// The address.
        address: String,
    },
}

pub(crate) fn run(global: &Global, verb: Verb, out: &mut Output) -> Result<u8, Failure> {
    let Verb::Route { address } = verb;
    let address = Mailbox::parse(&address).map_err(|why| {
        let cause = format!("`{address}` is no address: {why}");
        Failure::new(code::DATAERR, cause, "write it as in ann@example.org")
    })?;
    let config = config(global)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let explain = |address: &Mailbox| runtime.block_on(server::explain(&config, address));
    let Some(view) = asked(global, &config, &address)? else {
        let explained = explain(&address)?;
        if global.json {
            out.json(&as_json(&address, &explained))?;
        } else {
            tell(&address, &explained, out)?;
        }
        return Ok(code::DONE);
    };
    let ways: Vec<_> = view
        .to
        .iter()
        .map(
            |end| match (end.into.as_str(), Mailbox::parse(&end.address)) {
                ("remote", Ok(address)) => explain(&address).map(Some),
                _ => Ok(None),
            },
        )
        .collect::<Result<_, _>>()?;
    if global.json {
        out.json(&ours_as_json(&address, &view, &ways))?;
    } else {
        tell_ours(&address, &view, &ways, out)?;
    }
    Ok(code::DONE)
}

/// What the directory says of an address of ours; nothing when it cannot be asked.
fn asked(
    global: &Global,
    config: &Config,
    address: &Mailbox,
) -> Result<Option<AddressView>, Failure> {
    if !server::is_ours(config, address) {
        return Ok(None);
    }
    let request = Request::Address {
        address: address.to_string(),
    };
    match ask(global, request) {
        Ok(Answer::Address(view)) => Ok(Some(view)),
        Ok(_) => Err(unexpected()),
        Err(failure) => {
            note(format!("the accounts cannot be asked: {failure}"));
            Ok(None)
        }
    }
}

fn tell_ours(
    address: &Mailbox,
    view: &AddressView,
    ways: &[Option<Explained>],
    out: &mut Output,
) -> std::io::Result<()> {
    if let Some(refused) = &view.refused {
        out.line(format!(
            "{address} goes nowhere, although its domain is ours"
        ))?;
        return out.line(format!("  comes to      {refused}"));
    }
    out.line(format!("{address} goes to this server"))?;
    for (end, way) in view.to.iter().zip(ways) {
        match (&end.maildir, way) {
            (_, Some(explained)) => {
                out.line(format!("  on its way    {}", end.reason))?;
                if let Ok(address) = Mailbox::parse(&end.address) {
                    tell(&address, explained, out)?;
                }
            }
            (Some(folder), None) => {
                out.line(format!(
                    "  Maildir       {folder} of {}: {}",
                    end.address, end.reason
                ))?;
            }
            (None, None) => {
                out.line(format!("  mailbox       {}: {}", end.address, end.reason))?;
            }
        }
    }
    Ok(())
}

fn ours_as_json(
    address: &Mailbox,
    view: &AddressView,
    ways: &[Option<Explained>],
) -> serde_json::Value {
    let to = view.to.iter().zip(ways).map(|(end, way)| {
        let route = way.as_ref().zip(Mailbox::parse(&end.address).ok());
        let route = route.map(|(explained, address)| as_json(&address, explained));
        json!({
            "address": end.address, "into": end.into, "maildir": end.maildir,
            "reason": end.reason, "route": route,
        })
    });
    json!({
        "answer": "route",
        "address": address.to_string(),
        "hop": "this server",
        "to": to.collect::<Vec<_>>(),
        "status": view.refused,
    })
}

/// The configuration, or what holds without one.
fn config(global: &Global) -> Result<Config, Failure> {
    let place = place::place(global)?;
    Ok(match place.named_by {
        Some(config) => *config,
        None if global.config.is_some() => place::config(global)?.1,
        None => Config {
            domains: place.domains.unwrap_or_default(),
            ..Config::default()
        },
    })
}

fn tell(address: &Mailbox, explained: &Explained, out: &mut Output) -> std::io::Result<()> {
    out.line(format!("{address} goes to {}", explained.hop))?;
    out.line(format!("  because       {}", explained.reason))?;
    for (question, answer) in &explained.dns {
        out.line(format!("  DNS           {question}: {answer}"))?;
    }
    for (n, (name, preference, at)) in explained.hosts.iter().enumerate() {
        let turn = if n == 0 {
            "tried first"
        } else {
            "then        "
        };
        let preference = preference.map(|preference| format!(", preference {preference}"));
        let preference = preference.unwrap_or_default();
        out.line(format!("  {turn:12}  {name} {at}{preference}"))?;
    }
    for (name, preference, why) in &explained.left_out {
        out.line(format!(
            "  left out      {name}, preference {preference}: {why}"
        ))?;
    }
    match &explained.status {
        Some(status) => out.line(format!("  comes to      {status}")),
        None => Ok(()),
    }
}

fn as_json(address: &Mailbox, explained: &Explained) -> serde_json::Value {
    let dns = explained.dns.iter();
    let dns = dns.map(|(question, answer)| json!({"question": question, "answer": answer}));
    let hosts = explained.hosts.iter().map(
        |(name, preference, at)| json!({"name": name, "preference": preference, "address": at}),
    );
    let left_out = explained
        .left_out
        .iter()
        .map(|(name, preference, why)| json!({"name": name, "preference": preference, "why": why}));
    json!({
        "answer": "route",
        "address": address.to_string(),
        "left_out": left_out.collect::<Vec<_>>(),
        "hop": explained.hop,
        "reason": explained.reason,
        "dns": dns.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Vec<_>>(),
        "status": explained.status,
    })
}
