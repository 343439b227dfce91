//! Reports to senders: on what has failed, and on what is late. RFC 5321 §6.1, RFC 3464
//!
//! Nobody is told about a message without a sender, and reports have none: so no report ever
//! leads to another one.

use std::sync::Arc;

use mailtypes::{Envelope, Host, ItemId, LocalPart, Mailbox, ReversePath};
use message::dsn;
use rand::RngExt;
use rand::rngs::SmallRng;
use store::{
    About, Addressing, Facts, ItemView, Lease, NewItem, NotAddressed, ReadError, RecipientView,
    ReportError, ReportKind, Shape, Store, StoreError,
};

use crate::fate;
use crate::limits::RETURN_WHOLE_LEN_MAX;
use crate::settings::Settings;
use crate::shared::Shared;

mod late;
mod told;

pub(crate) use late::Late;
use told::{Told, concerned};

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
