//! Reports to senders: on what has failed, and on what is late. RFC 5321 §6.1, RFC 3464
//!
//! Nobody is told about a message without a sender, and reports have none: so no report ever
//! leads to another one.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mailtypes::{Envelope, Host, ItemId, LocalPart, Mailbox, ReversePath, Timestamp};
use message::dsn;
use rand::RngExt;
use rand::rngs::SmallRng;
use store::{
    About, Addressing, EventKind, Facts, ItemView, Lease, NewItem, NotAddressed, ReadError,
    RecipientState, RecipientView, ReportError, ReportKind, Shape, Store, StoreError,
};
use tokio::sync::Notify;

use crate::fate;
use crate::limits::{LATE_MAX, RETURN_WHOLE_LEN_MAX};
use crate::remote::trail::Blamed;
use crate::settings::Settings;
use crate::shared::Shared;

/// Items whose senders are to be told of a delay.
#[derive(Debug, Default)]
pub(crate) struct Late {
    items: Mutex<BTreeSet<ItemId>>,
    added: Notify,
    /// A report waits for attempts to end.
    waiting: AtomicBool,
}

impl Late {
    /// One more. When there are too many, it is told after its next attempt.
    pub(crate) fn add(&self, item: ItemId) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() < LATE_MAX {
            items.insert(item);
        }
        self.added.notify_one();
    }

    /// All of them.
    pub(crate) fn take(&self) -> BTreeSet<ItemId> {
        std::mem::take(&mut *self.items.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A report waits until others of its item are not in hand any more.
    pub(crate) fn wait(&self) {
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Whether that is so; asked once.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.swap(false, Ordering::SeqCst)
    }

    /// There is something to do for whoever reports.
    pub(crate) fn notify(&self) {
        self.added.notify_one();
    }

    pub(crate) async fn notified(&self) {
        self.added.notified().await;
    }
}

/// The one who writes reports.
pub(crate) struct Reporter<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    addressing: Arc<dyn Addressing>,
    rng: SmallRng,
}

impl<S: Store, R, D> Reporter<S, R, D> {
    pub(crate) fn new(
        shared: Arc<Shared<S, R, D>>,
        addressing: Arc<dyn Addressing>,
        rng: SmallRng,
    ) -> Self {
        Self {
            shared,
            addressing,
            rng,
        }
    }

    /// Tells the sender of an item about those of its recipients that are owed it. False when that
    /// has to wait.
    pub(crate) async fn report(
        &mut self,
        lease: &Lease,
        id: ItemId,
        kind: ReportKind,
    ) -> Result<bool, StoreError> {
        let item = match self.shared.store.story(id).await {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(true),
            Err(ReadError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::error!(%id, %error, "an item that is owed a report cannot be read");
                return Ok(false);
            }
        };
        let settings = self.shared.settings.load_full();
        let now = self.shared.clock.now();
        let recipients = concerned(&item, kind, &settings, now);
        if recipients.is_empty() {
            return Ok(true);
        }
        let sender = match &item.envelope.reverse_path {
            ReversePath::Mailbox(sender) => sender.clone(),
            ReversePath::Null => {
                let reason = "it has no sender who could be told (<>)";
                return self.suppress(lease, id, &recipients, kind, reason).await;
            }
        };
        let to = match self.addressing.recipients(&sender).await {
            Ok(to) => to,
            Err(NotAddressed::Nobody(why)) => {
                let reason = format!("its sender {sender} cannot be told: {why}");
                return self.suppress(lease, id, &recipients, kind, &reason).await;
            }
            Err(NotAddressed::Later(why)) => {
                tracing::warn!(%id, %sender, why, "a report has to wait");
                return Ok(false);
            }
        };
        let octets = match self
            .write(&item, &sender, &recipients, kind, &settings)
            .await
        {
            Ok(octets) => octets,
            Err(error) => {
                tracing::error!(%id, %error, "the message of a report cannot be read");
                return Ok(false);
            }
        };
        let about = About {
            item: id,
            recipients: recipients.iter().map(|recipient| recipient.n).collect(),
            kind,
        };
        self.send(lease, octets, to, about).await
    }

    async fn suppress(
        &self,
        lease: &Lease,
        id: ItemId,
        recipients: &[&RecipientView],
        kind: ReportKind,
        reason: &str,
    ) -> Result<bool, StoreError> {
        if kind == ReportKind::Failure {
            let list: Vec<u32> = recipients.iter().map(|recipient| recipient.n).collect();
            self.shared.store.suppress(lease, id, list, reason).await?;
            fate::suppressed(id, recipients, reason);
        }
        Ok(true)
    }

    async fn send(
        &self,
        lease: &Lease,
        octets: Vec<u8>,
        to: Vec<store::NewRecipient>,
        about: About,
    ) -> Result<bool, StoreError> {
        let (item, kind) = (about.item, about.kind);
        let header_len = octets
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(octets.len(), |at| at + 4);
        let message = NewItem {
            envelope: Envelope::from(ReversePath::Null),
            added: String::new(),
            origin: None,
            shape: Shape {
                header_len: header_len as u64,
                longest_line: octets
                    .split(|b| *b == b'\n')
                    .map(<[u8]>::len)
                    .max()
                    .unwrap_or(0) as u64,
                ..Shape::default()
            },
            facts: Facts {
                version: 1,
                json: format!("{{\"report_about\":\"{item}\"}}"),
            },
            recipients: to,
        };
        let mut draft = self.shared.store.draft();
        draft.write(&octets).await?;
        match self.shared.store.report(lease, draft, message, about).await {
            Ok(report) => {
                fate::reported(item, report, kind);
                self.shared.changed.notify_one();
                Ok(true)
            }
            Err(ReportError::NotOwed) => Ok(true),
            Err(ReportError::Accept(store::AcceptError::Store(
                error @ (StoreError::Closed | StoreError::LeaseLost),
            ))) => Err(error),
            Err(error) => {
                tracing::warn!(%item, %error, "a report has to wait");
                Ok(false)
            }
        }
    }

    async fn write(
        &mut self,
        item: &ItemView,
        sender: &Mailbox,
        recipients: &[&RecipientView],
        kind: ReportKind,
        settings: &Settings,
    ) -> Result<Vec<u8>, ReadError> {
        let octets = self.beginning(item).await?;
        let original = dsn::original(&octets);
        let whole = item.size <= RETURN_WHOLE_LEN_MAX && kind == ReportKind::Failure;
        let now = self.shared.clock.now();
        let told: Vec<Told<'_>> = recipients.iter().map(|r| Told::new(item, r)).collect();
        let list: Vec<dsn::Recipient<'_>> = told.iter().map(Told::for_report).collect();
        let random: u64 = self.rng.random();
        let hostname = &settings.own.hostname;
        let from = Mailbox {
            local: LocalPart::parse("mailer-daemon").expect("a Dot-string"),
            host: Host::Domain(hostname.clone()),
        };
        Ok(dsn::write(&dsn::Report {
            kind: match kind {
                ReportKind::Failure => dsn::Kind::Failure,
                ReportKind::Delay => dsn::Kind::Delay {
                    until: item.accepted + settings.schedule.lifetime,
                },
            },
            hostname,
            queue_id: &item.id.to_string(),
            arrived: item.accepted,
            now,
            from: &from,
            to: sender,
            message_id: &format!("{}.{random:016x}@{}", item.id, hostname.as_str()),
            boundary: &format!("=_{random:016x}"),
            recipients: &list,
            original: &original,
            returned: if whole {
                dsn::Returned::Whole(&octets)
            } else {
                dsn::Returned::Header(&octets)
            },
        }))
    }

    /// The message when it is small, otherwise as much of it as holds its header.
    async fn beginning(&self, item: &ItemView) -> Result<Vec<u8>, ReadError> {
        let Some(mut reader) = self.shared.store.open_item(item.id).await? else {
            return Ok(Vec::new());
        };
        let mut octets = Vec::new();
        while let Some(piece) = reader.next().await? {
            octets.extend(piece);
            if octets.len() as u64 > RETURN_WHOLE_LEN_MAX {
                octets.truncate(usize::try_from(RETURN_WHOLE_LEN_MAX).unwrap_or(usize::MAX));
                break;
            }
        }
        Ok(octets)
    }
}

/// The recipients of an item that a report tells of.
fn concerned<'a>(
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
                    && recipient.attempts > 0
                    && settings.schedule.is_late(item.accepted, now)
            }
        })
        .take(REPORTED_MAX)
        .collect()
}

/// What is told of one recipient.
struct Told<'a> {
    recipient: &'a RecipientView,
    status: mailtypes::Status,
    blamed: Option<Blamed>,
    at: Option<Timestamp>,
}

impl<'a> Told<'a> {
    fn new(item: &'a ItemView, recipient: &'a RecipientView) -> Self {
        let is_attempt = |kind| matches!(kind, EventKind::Deferred | EventKind::Failed);
        let last = item
            .events
            .iter()
            .rev()
            .find(|event| event.recipient == Some(recipient.n) && is_attempt(event.kind));
        let unknown = || {
            mailtypes::Status::new(
                mailtypes::EnhancedCode::new(5, 0, 0),
                "the reason is not known",
            )
        };
        Self {
            recipient,
            status: recipient.status.clone().unwrap_or_else(unknown),
            blamed: last.and_then(|event| Blamed::read(event.trail.as_deref()?)),
            at: last.map(|event| event.at),
        }
    }

    fn for_report(&self) -> dsn::Recipient<'_> {
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
