//! Spans for those who collect traces; without them each is nothing. Never message text, never secrets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mailtypes::ItemId;
use mailtypes::dns::Question;
use proto::smtp::client::RecipientAnswer;
use store::Due;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

use crate::outcome::Ending;
use crate::remote::job::Job;

/// An attempt at some recipients of one message: its clones are one span, which ends with the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempt(Option<Arc<Inside>>);

#[derive(Debug)]
struct Inside {
    span: Span,
    item: ItemId,
    delivered: AtomicI64,
    deferred: AtomicI64,
    failed: AtomicI64,
}

impl Attempt {
    pub(crate) fn new(job: &Job, hop: &str) -> Self {
        let span = info_span!(
            target: "traces",
            parent: None,
            "delivery attempt",
            mail.queue_id = %job.item(),
            mail.recipients = count(job.recipients.len()),
            postrider.next_hop = hop,
            postrider.delivered = Empty,
            postrider.deferred = Empty,
            postrider.failed = Empty,
            otel.status_description = Empty,
        );
        if span.is_disabled() {
            return Self(None);
        }
        Self(Some(Arc::new(Inside {
            span,
            item: job.item(),
            delivered: AtomicI64::new(0),
            deferred: AtomicI64::new(0),
            failed: AtomicI64::new(0),
        })))
    }

    /// Whether it is an attempt at another message.
    pub(crate) fn is_of_another(&self, job: &Job) -> bool {
        self.0
            .as_ref()
            .is_some_and(|inside| inside.item != job.item())
    }

    /// A question to the DNS.
    pub(crate) fn dns(&self, question: &Question) -> Span {
        let Some(inside) = &self.0 else {
            return Span::none();
        };
        info_span!(
            target: "traces",
            parent: &inside.span,
            "dns",
            otel.kind = "client",
            dns.question.name = %question.name,
            postrider.dns.type = ?question.kind,
            otel.status_description = Empty,
        )
    }

    /// A connection to a host, until it is ready for mail.
    pub(crate) fn connect(&self, host: &str, address: SocketAddr) -> Span {
        let Some(inside) = &self.0 else {
            return Span::none();
        };
        info_span!(
            target: "traces",
            parent: &inside.span,
            "connect",
            otel.kind = "client",
            server.address = name_of(host, address),
            network.peer.address = %address.ip(),
            network.peer.port = i64::from(address.port()),
            otel.status_description = Empty,
        )
    }

    /// A transaction at a host.
    pub(crate) fn transaction(&self, host: &str, address: SocketAddr) -> Span {
        let Some(inside) = &self.0 else {
            return Span::none();
        };
        info_span!(
            target: "traces",
            parent: &inside.span,
            "smtp transaction",
            otel.kind = "client",
            mail.queue_id = %inside.item,
            network.protocol.name = "smtp",
            server.address = name_of(host, address),
            network.peer.address = %address.ip(),
            network.peer.port = i64::from(address.port()),
            mail.reply_code = Empty,
            otel.status_description = Empty,
        )
    }

    /// An attempt at one recipient has ended.
    pub(crate) fn ended(&self, ending: &Ending) {
        let Some(inside) = &self.0 else { return };
        let counter = match ending {
            Ending::Delivered(_) => &inside.delivered,
            Ending::Later(_) | Ending::Stopped(_) | Ending::Untried(..) => &inside.deferred,
            Ending::Never(_) | Ending::Crashed => &inside.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        ended(&inside.span, ending);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        for (name, counter) in [
            ("postrider.delivered", &self.delivered),
            ("postrider.deferred", &self.deferred),
            ("postrider.failed", &self.failed),
        ] {
            self.span.record(name, counter.load(Ordering::Relaxed));
        }
    }
}

/// What a host has answered: the first no, or the first yes.
pub(crate) fn answered(transaction: &Span, answers: &[RecipientAnswer]) {
    if transaction.is_disabled() {
        return;
    }
    let is_no = |answer: &&RecipientAnswer| !matches!(answer, RecipientAnswer::Accepted(_));
    let first = answers.iter().find(is_no).or(answers.first());
    match first {
        Some(RecipientAnswer::Accepted(reply)) => {
            transaction.record("mail.reply_code", i64::from(reply.code()));
        }
        Some(RecipientAnswer::Refused { stage, reply }) => {
            transaction.record("mail.reply_code", i64::from(reply.code()));
            failed(transaction, &format_args!("{}: {reply}", stage.as_str()));
        }
        Some(RecipientAnswer::Lost { stage, .. }) => {
            failed(
                transaction,
                &format_args!("{}: connection lost", stage.as_str()),
            );
        }
        Some(RecipientAnswer::Impossible(_)) => {
            failed(transaction, &"the host does not take such mail");
        }
        None => {}
    }
}

/// A delivery into a mailbox or a Maildir of ours.
pub(crate) fn mailbox(due: &Due) -> Span {
    info_span!(
        target: "traces",
        parent: None,
        "mailbox delivery",
        mail.queue_id = %due.item,
        mail.to = %due.address,
        otel.status_description = Empty,
    )
}

/// How it ended.
pub(crate) fn ended(span: &Span, ending: &Ending) {
    match ending {
        Ending::Later(status) | Ending::Stopped(status) | Ending::Never(status) => {
            failed(span, status);
        }
        Ending::Crashed => failed(span, &"it came to grief"),
        Ending::Delivered(_) | Ending::Untried(..) => {}
    }
}

/// Something went wrong.
pub(crate) fn failed(span: &Span, why: &dyn std::fmt::Display) {
    span.record("otel.status_description", display(why));
}

/// A host that is an address goes by that alone.
fn name_of(host: &str, address: SocketAddr) -> String {
    if host.starts_with('[') {
        return address.ip().to_string();
    }
    host.to_owned()
}

/// OTLP has signed numbers only.
fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
