//! From the configuration to the settings of the parts.

use std::sync::Arc;

use proto::smtp;

use crate::config::{Config, Listen};

/// The settings of one listener.
pub(super) fn receive(config: &Config, listen: &Listen) -> receive::Settings {
    receive::Settings {
        hostname: config.hostname.to_string(),
        domains: config.domains.clone(),
        postmaster: config.postmaster.clone(),
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
