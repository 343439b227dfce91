//! Spans for those who collect traces; without them each is nothing. Never message text, never secrets.

use std::net::SocketAddr;

use mailtypes::{ItemId, ReversePath};
use proto::smtp::Reply;
use tracing::field::Empty;
use tracing::{Span, info_span};

/// A session.
pub(crate) fn session(number: u64, peer: SocketAddr) -> Span {
    info_span!(
        target: "traces",
        parent: None,
        "smtp session",
        otel.kind = "server",
        network.protocol.name = "smtp",
        network.transport = "tcp",
        network.peer.address = %peer.ip(),
        network.peer.port = i64::from(peer.port()),
        postrider.session = number_of(number),
    )
}

/// A message within it: from MAIL to its final reply.
pub(crate) fn message(from: &ReversePath) -> Span {
    info_span!(
        target: "traces",
        "message",
        mail.from = %from,
        mail.queue_id = Empty,
        mail.size = Empty,
        mail.recipients = Empty,
        mail.reply_code = Empty,
        otel.status_description = Empty,
    )
}

/// The wait until a message is durable.
pub(crate) fn durable(message: &Span) -> Span {
    info_span!(target: "traces", parent: message, "store", otel.status_description = Empty)
}

/// A message has become ours.
pub(crate) fn queued(message: &Span, id: ItemId, recipients: usize, size: u64, reply: &Reply) {
    if message.is_disabled() {
        return;
    }
    message.record("mail.queue_id", tracing::field::display(id));
    message.record("mail.recipients", number_of(recipients as u64));
    message.record("mail.size", number_of(size));
    message.record("mail.reply_code", i64::from(reply.code()));
}

/// A message was refused, or its MAIL.
pub(crate) fn refused(message: &Span, reply: &Reply, why: &dyn std::fmt::Display) {
    message.record("mail.reply_code", i64::from(reply.code()));
    failed(message, why);
}

/// Something went wrong.
pub(crate) fn failed(span: &Span, why: &dyn std::fmt::Display) {
    span.record("otel.status_description", tracing::field::display(why));
}

/// OTLP has signed numbers only.
fn number_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
