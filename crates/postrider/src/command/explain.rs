//! `explain route`: the dry run of a delivery.

use deliver::Explained;
use mailtypes::Mailbox;
use serde_json::json;

use crate::config::Config;
use crate::failure::{Failure, code};
use crate::global::Global;
use crate::output::Output;
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
    let explained = runtime.block_on(server::explain(&config, &address))?;
    if global.json {
        out.json(&as_json(&address, &explained))?;
    } else {
        tell(&address, &explained, out)?;
    }
    Ok(code::DONE)
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
    json!({
        "answer": "route",
        "address": address.to_string(),
        "hop": explained.hop,
        "reason": explained.reason,
        "dns": dns.collect::<Vec<_>>(),
        "hosts": hosts.collect::<Vec<_>>(),
        "status": explained.status,
    })
}
