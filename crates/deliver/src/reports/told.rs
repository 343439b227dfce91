//! What a report says of each recipient.

use mailtypes::{EnhancedCode, Status, Timestamp};
use message::dsn;
use store::{EventKind, ItemView, RecipientState, RecipientView, ReportKind};

use crate::remote::trail::Blamed;
use crate::settings::Settings;

/// The recipients of an item that a report tells of.
pub(super) fn concerned<'a>(
    item: &'a ItemView,
    kind: ReportKind,
    settings: &Settings,
    now: Timestamp,
) -> Vec<&'a RecipientView> {
    item.recipients
        .iter()
        .filter(|recipient| match kind {
            ReportKind::Failure => recipient.state == RecipientState::BounceOwed,
            ReportKind::Delay => {
                recipient.state == RecipientState::Queued
                    && !recipient.told
                    && recipient.status.is_some()
                    && settings.schedule.is_late(item.accepted, now)
            }
        })
        .take(REPORTED_MAX)
        .collect()
}

/// What is told of one recipient.
pub(super) struct Told<'a> {
    recipient: &'a RecipientView,
    status: Status,
    blamed: Option<Blamed>,
    at: Option<Timestamp>,
}

impl<'a> Told<'a> {
    pub(super) fn new(item: &'a ItemView, recipient: &'a RecipientView) -> Self {
        let is_attempt = |kind| matches!(kind, EventKind::Deferred | EventKind::Failed);
        let last = item
            .events
            .iter()
            .rev()
            .find(|event| event.recipient == Some(recipient.n) && is_attempt(event.kind));
        let unknown = || Status::new(EnhancedCode::new(5, 0, 0), "the reason is not known");
        Self {
            recipient,
            status: recipient.status.clone().unwrap_or_else(unknown),
            blamed: last.and_then(|event| Blamed::read(event.trail.as_deref()?)),
            at: last.map(|event| event.at),
        }
    }

    pub(super) fn for_report(&self) -> dsn::Recipient<'_> {
        let address = self.recipient.address.to_string();
        let original = self.recipient.original.as_str();
        dsn::Recipient {
            address: &self.recipient.address,
            original: Some(original).filter(|original| *original != address),
            status: &self.status,
            remote: self.blamed.as_ref().map(|blamed| dsn::Remote {
                host: &blamed.host,
                ip: blamed.ip,
                command: &blamed.command,
                reply: &blamed.reply,
            }),
            last_attempt: self.at,
        }
    }
}

/// Recipients in one report; others get another one.
const REPORTED_MAX: usize = 1000;
