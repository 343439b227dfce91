//! What all sessions of a listener share, and may change while the server runs.

use std::sync::Arc;

use ipnet::IpNet;
use mailtypes::{Domain, Mailbox};

use proto::smtp;

/// How a [`crate::Receiver`] behaves. New sessions and new transactions see a change at once;
/// a transaction that has begun ends under the settings it began with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in `Received` fields.
    pub hostname: String,
    /// The domains whose mail is ours. `<Postmaster>` belongs to the first.
    pub domains: Vec<Domain>,
    /// Who gets mail for postmaster and abuse where neither is an account or alias; without one
    /// it is the oldest account.
    pub postmaster: Option<Mailbox>,
    /// Networks whose clients may send to everybody. None by default, loopback included.
    pub relay_networks: Vec<IpNet>,
    /// How the protocol behaves.
    pub smtp: Arc<smtp::Settings>,
}

impl Settings {
    /// Whether the mail for this address is ours to deliver. An address literal never is; under our
    /// hostname, which reports come from, the roles are.
    pub fn is_local(&self, address: &Mailbox) -> bool {
        address.host.domain().is_some_and(|domain| {
            self.domains.contains(domain)
                || (domain.as_str() == self.hostname && is_role(&address.folded()))
        })
    }
}

/// Whether somebody has to read the mail for this address, which is folded, at a place of ours.
/// RFC 5321 §4.5.1, RFC 2142 §2 and §4; replies to a report go to its sender
pub(crate) fn is_role(address: &Mailbox) -> bool {
    let plain = address.without_tag();
    let local = plain.as_ref().unwrap_or(address).local.as_str();
    matches!(local, "postmaster" | "abuse" | "mailer-daemon")
}
