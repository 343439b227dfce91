//! One log line and one count for each fate of a message at the door: `queued` or `refused`.
//!
//! Scripts read these: the names of the fields stay. Never message text, never secrets.

use std::net::IpAddr;

use mailtypes::{ForwardPath, IpText, ItemId, ReversePath};
use proto::smtp::Reply;

use crate::metrics::Metrics;

/// Tells fates: who the peer of the session is, as the log lines name it, and where is counted.
#[derive(Clone, Copy)]
pub(crate) struct Fates<'a> {
    pub(crate) client: IpAddr,
    pub(crate) helo: &'a str,
    pub(crate) metrics: &'a Metrics,
}

impl Fates<'_> {
    /// A message became ours.
    pub(crate) fn queued(self, id: ItemId, from: &ReversePath, to: usize, size: u64) {
        self.metrics.messages.inc();
        self.metrics.recipients.inc_by(to as u64);
        self.metrics.octets.inc_by(size);
        tracing::info!(
            target: "mail", %id, from = %from, to, size,
            client = %IpText(self.client), helo = self.helo, "queued"
        );
    }

    /// A command was refused before there was a sender, or by the machine.
    pub(crate) fn refused(self, command: &str, reply: &Reply) {
        let code = reply.code();
        self.metrics.refused(command, reply);
        tracing::info!(
            target: "mail", command, code, reply = %reply,
            client = %IpText(self.client), helo = self.helo, "refused"
        );
    }

    /// MAIL was refused, or the message itself.
    pub(crate) fn refused_sender(
        self,
        command: &str,
        from: &ReversePath,
        reply: &Reply,
        why: &dyn std::fmt::Display,
    ) {
        let code = reply.code();
        self.metrics.refused(command, reply);
        tracing::info!(
            target: "mail", command, code, %why, from = %from,
            client = %IpText(self.client), helo = self.helo, "refused"
        );
    }

    /// RCPT was refused.
    pub(crate) fn refused_recipient(
        self,
        from: &ReversePath,
        to: &ForwardPath,
        reply: &Reply,
        why: &dyn std::fmt::Display,
    ) {
        let code = reply.code();
        self.metrics.refused("RCPT", reply);
        tracing::info!(
            target: "mail", command = "RCPT", code, %why, from = %from, to = %to,
            client = %IpText(self.client), helo = self.helo, "refused"
        );
    }
}
