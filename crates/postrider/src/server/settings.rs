//! From the configuration to the settings of the parts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proto::smtp;
use proto::smtp::client::ClientSettings;

use crate::config::{Config, Listen};

/// The settings of one listener.
pub(super) fn receive(config: &Config, listen: &Listen) -> receive::Settings {
    receive::Settings {
        hostname: config.hostname.to_string(),
        domains: config.domains.clone(),
        postmaster: config.postmaster.clone(),
        relay_networks: config.outgoing.relay_networks.clone(),
        smtp: Arc::new(smtp::Settings {
            hostname: config.hostname.to_string(),
            size_max: config.message_size_max,
            recipients_max: config.recipients_max,
            errors_max: config.errors_max,
            line_ends: listen.line_ends,
            command_timeout: config.command_timeout,
            body_timeout: config.body_timeout,
            session_timeout: config.session_timeout,
        }),
    }
}

/// The connection limits.
pub(super) fn gate(config: &Config) -> net::Limits {
    net::Limits {
        total: config.connections_max,
        per_address: config.connections_per_address_max,
    }
}

/// The settings of delivery.
pub(super) fn deliver(config: &Config) -> deliver::Settings {
    let outgoing = &config.outgoing;
    deliver::Settings {
        own: deliver::Own {
            hostname: config.hostname.clone(),
            addresses: own_addresses(config),
        },
        domains: config.domains.clone(),
        routes: outgoing.routes.clone(),
        schedule: outgoing.schedule,
        limits: deliver::Limits {
            total: outgoing.deliveries_max,
            per_hop: outgoing.deliveries_per_host_max,
        },
        client: Arc::new(ClientSettings {
            hostname: config.hostname.to_string(),
            greeting_timeout: outgoing.reply_timeout,
            command_timeout: outgoing.reply_timeout,
            data_timeout: outgoing
                .reply_timeout
                .min(ClientSettings::default().data_timeout),
            ..ClientSettings::default()
        }),
    }
}

/// Where mail to us would come in: what we listen on, and with "all addresses" those of the machine.
pub(crate) fn own_addresses(config: &Config) -> Vec<IpAddr> {
    let listens = config.listen.iter().map(|listen| listen.address);
    let mut own: Vec<IpAddr> = listens.map(|address: SocketAddr| address.ip()).collect();
    if own.iter().any(IpAddr::is_unspecified) {
        own.extend(of_the_machine());
    }
    own.retain(|ip| !ip.is_unspecified());
    own.sort();
    own.dedup();
    own
}

fn of_the_machine() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let four = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            four.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .collect()
}

/// Whom to ask about names.
pub(super) fn dns(config: &Config) -> net::dns::DnsSettings {
    net::dns::DnsSettings {
        servers: config.outgoing.dns_servers.clone(),
        ..net::dns::DnsSettings::default()
    }
}
