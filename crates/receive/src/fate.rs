//! One log line for each fate of a message at the door: `queued` or `refused`.
//!
//! Scripts read these: the names of the fields stay. Never message text, never secrets.

use std::net::IpAddr;

use mailtypes::{ForwardPath, ItemId, ReversePath};
use proto::smtp::Reply;

/// The peer of a session, as the log lines name it.
#[derive(Clone, Copy)]
pub(crate) struct Peer<'a> {
    pub(crate) client: IpAddr,
    pub(crate) helo: &'a str,
}

/// A message became ours.
pub(crate) fn queued(peer: Peer<'_>, id: ItemId, from: &ReversePath, to: usize, size: u64) {
    let Peer { client, helo } = peer;
    tracing::info!(target: "mail", %id, from = %from, to, size, %client, helo, "queued");
}

/// A command was refused before there was a sender, or by the machine.
pub(crate) fn refused(peer: Peer<'_>, command: &str, reply: &Reply) {
    let Peer { client, helo } = peer;
    let code = reply.code();
    tracing::info!(target: "mail", command, code, reply = %reply, %client, helo, "refused");
}

/// MAIL was refused, or the message itself.
pub(crate) fn refused_sender(
    peer: Peer<'_>,
    command: &str,
    from: &ReversePath,
    reply: &Reply,
    why: &dyn std::fmt::Display,
) {
    let Peer { client, helo } = peer;
    let code = reply.code();
    tracing::info!(
        target: "mail", command, code, %why, from = %from, %client, helo, "refused"
    );
}

/// RCPT was refused.
pub(crate) fn refused_recipient(
    peer: Peer<'_>,
    from: &ReversePath,
    to: &ForwardPath,
    reply: &Reply,
    why: &dyn std::fmt::Display,
) {
    let Peer { client, helo } = peer;
    let code = reply.code();
    tracing::info!(
        target: "mail", command = "RCPT", code, %why, from = %from, to = %to, %client, helo,
        "refused"
    );
}
