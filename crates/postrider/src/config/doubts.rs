//! What a file may well say, and is hardly meant.

use std::net::IpAddr;

use deliver::{HopHost, NextHop, Pattern};
use mailtypes::Domain;

use super::{Config, write_duration};

/// A line for each; `own` are the addresses of this machine that mail comes in by.
pub(crate) fn doubts(config: &Config, own: &[IpAddr]) -> Vec<String> {
    let mut all = times(config);
    all.extend(metrics(config));
    all.extend(traces(config));
    for (pattern, hop) in &config.outgoing.routes_text {
        let ours = match Pattern::parse(pattern) {
            Ok(Pattern::Domain(domain)) => config.domains.contains(&domain),
            Ok(Pattern::Below(_) | Pattern::Default) | Err(_) => false,
        };
        if ours {
            all.push(format!(
                "the route of {pattern} is not used: {pattern} is one of `domains`, its mail stays here"
            ));
        }
        if NextHop::parse(hop).is_ok_and(|hop| leads_home(config, own, &hop)) {
            all.push(format!(
                "the route {pattern} leads to this server itself ({hop}): mail would go in circles"
            ));
        }
    }
    all
}

/// Whether this very server listens at a next hop.
pub(crate) fn leads_home(config: &Config, own: &[IpAddr], hop: &NextHop) -> bool {
    let at_home = match &hop.host {
        HopHost::Address(ip) => {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified() || own.contains(&ip)
        }
        HopHost::Host(name) => is_named(config, name),
        HopHost::MxOf(_) | HopHost::MxOfRoute(_) => false,
    };
    at_home
        && config.listen.iter().any(|listen| {
            let at = listen.address;
            let same = match &hop.host {
                HopHost::Address(ip) => at.ip().is_unspecified() || at.ip() == ip.to_canonical(),
                HopHost::Host(_) | HopHost::MxOf(_) | HopHost::MxOfRoute(_) => true,
            };
            same && at.port() == hop.port
        })
}

fn is_named(config: &Config, name: &Domain) -> bool {
    *name == config.hostname
}

fn metrics(config: &Config) -> Option<String> {
    let address = config.metrics_listen?;
    let is_taken = config.listen.iter().any(|listen| {
        let at = listen.address;
        at == address || at.ip().is_unspecified() && at.port() == address.port()
    });
    if is_taken {
        return Some(format!(
            "metrics_listen = \"{address}\" is a port of `listen`: the server will not start; \
             choose another one"
        ));
    }
    (!address.ip().is_loopback()).then(|| {
        format!(
            "metrics_listen = \"{address}\": whoever can connect there sees how much mail there is; \
             let a firewall keep others away"
        )
    })
}

fn traces(config: &Config) -> Option<String> {
    let endpoint = config.traces_endpoint.as_ref()?;
    (!endpoint.is_loopback()).then(|| {
        format!(
            "traces_endpoint = \"{endpoint}\": addresses of mail leave this machine unencrypted; \
             let a collector on this machine pass them on"
        )
    })
}

fn times(config: &Config) -> Vec<String> {
    let schedule = &config.outgoing.schedule;
    let mut all = Vec::new();
    if schedule.first > schedule.longest {
        all.push(format!(
            "`retry_first` ({}) is longer than `retry_longest` ({})",
            write_duration(schedule.first),
            write_duration(schedule.longest)
        ));
    }
    if let Some(warning) = schedule.warning.filter(|span| *span >= schedule.lifetime) {
        all.push(format!(
            "`delay_warning` ({}) is not shorter than `queue_lifetime` ({}): nobody is warned",
            write_duration(warning),
            write_duration(schedule.lifetime)
        ));
    }
    all
}
