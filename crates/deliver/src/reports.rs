//! Reports to senders: on what has failed, and on what is late. RFC 5321 §6.1, RFC 3464
//!
//! Nobody is told about a message without a sender, and reports have none: so no report ever
//! leads to another one.

use std::sync::Arc;

use mailtypes::{Envelope, Host, ItemId, LocalPart, Mailbox, ReversePath, Timestamp};
use message::dsn;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use store::{
    About, Addressing, Facts, ItemView, Lease, NewItem, NotAddressed, ReadError, RecipientView,
    ReportError, ReportKind, Shape, Store, StoreError,
};

use crate::fate;
use crate::limits::RETURN_WHOLE_LEN_MAX;
use crate::shared::Shared;

mod told;

use told::{Told, concerned};

/// How to tell a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With the message, or its header.
    Usual,
    /// Without anything of the message.
    Bare,
    /// Not at all: these recipients end for this reason.
    GiveUp(Vec<(u32, Mailbox)>, String),
}

/// The one who writes reports.
pub(crate) struct Reporter<S, R, D> {
    shared: Arc<Shared<S, R, D>>,
    addressing: Arc<dyn Addressing>,
}

/// What holds for one report.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    pub(crate) lease: Lease,
    pub(crate) kind: ReportKind,
    /// The randomness comes from this and from what the report is about.
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Nothing is owed any more.
    Done,
    /// Not now, for this reason.
    Later(String),
}

impl<S: Store, R, D> Reporter<S, R, D> {
    pub(crate) fn new(shared: Arc<Shared<S, R, D>>, addressing: Arc<dyn Addressing>) -> Self {
        Self { shared, addressing }
    }

    /// Tells the sender of an item about those of its recipients that are owed it, or ends them
    /// without that.
    pub(crate) async fn write(
        &self,
        id: ItemId,
        how: Writing,
        manner: Manner,
    ) -> Result<Sent, StoreError> {
        if let Manner::GiveUp(recipients, reason) = &manner {
            tracing::error!(%id, reason, "a report is given up");
            return self.suppress(&how, id, recipients, reason).await;
        }
        let item = match self.shared.store.story(id).await {
            Ok(Some(item)) => item,
            Ok(None) => return Ok(Sent::Done),
            Err(ReadError::Store(error)) => return Err(error),
            Err(error) => return Ok(Sent::Later(format!("the item cannot be read: {error}"))),
        };
        let settings = self.shared.settings.load_full();
        let recipients = concerned(&item, how.kind, &settings, self.shared.clock.now());
        if recipients.is_empty() {
            return Ok(Sent::Done);
        }
        let owed: Vec<_> = recipients
            .iter()
            .map(|r| (r.n, r.address.clone()))
            .collect();
        let ReversePath::Mailbox(sender) = &item.envelope.reverse_path else {
            let reason = "it has no sender who could be told (<>)";
            return self.suppress(&how, id, &owed, reason).await;
        };
        let to = match self.addressing.recipients(sender).await {
            Ok(to) => to,
            Err(NotAddressed::Nobody(why)) => {
                let reason = format!("its sender {sender} cannot be told: {why}");
                return self.suppress(&how, id, &owed, &reason).await;
            }
            Err(NotAddressed::Later(why)) => return Ok(Sent::Later(format!("{sender}: {why}"))),
        };
        let message = match manner {
            Manner::Usual => self.beginning(&item).await?,
            Manner::Bare | Manner::GiveUp(..) => None,
        };
        let about = About {
            item: id,
            recipients: owed.iter().map(|(n, _)| *n).collect(),
            kind: how.kind,
        };
        let text = self.text(&item, sender, &recipients, message.as_deref(), &how);
        self.send(&how.lease, text, to, about).await
    }

    async fn suppress(
        &self,
        how: &Writing,
        id: ItemId,
        recipients: &[(u32, Mailbox)],
        reason: &str,
    ) -> Result<Sent, StoreError> {
        if how.kind == ReportKind::Failure {
            let list = recipients.iter().map(|(n, _)| *n).collect();
            let store = &self.shared.store;
            store.suppress(&how.lease, id, list, reason).await?;
            fate::suppressed(id, recipients, reason);
            self.shared.metrics.suppressed(recipients.len());
        }
        Ok(Sent::Done)
    }

    async fn send(
        &self,
        lease: &Lease,
        text: dsn::Written,
        to: Vec<store::NewRecipient>,
        about: About,
    ) -> Result<Sent, StoreError> {
        let (item, kind) = (about.item, about.kind);
        let message = NewItem {
            envelope: Envelope::from(ReversePath::Null),
            added: String::new(),
            origin: None,
            shape: Shape {
                header_len: text.header_len,
                longest_line: text.longest_line,
                ..Shape::default()
            },
            facts: Facts {
                version: 1,
                json: format!("{{\"report_about\":\"{item}\"}}"),
            },
            recipients: to,
        };
        let mut draft = self.shared.store.draft();
        draft.write(&text.octets).await?;
        match self.shared.store.report(lease, draft, message, about).await {
            Ok(report) => {
                fate::reported(item, report, kind);
                self.shared.metrics.reported(kind);
                self.shared.changed.notify_one();
                Ok(Sent::Done)
            }
            Err(ReportError::NotOwed) => Ok(Sent::Done),
            Err(ReportError::Accept(store::AcceptError::Store(
                error @ (StoreError::Closed | StoreError::LeaseLost),
            ))) => Err(error),
            Err(error) => Ok(Sent::Later(error.to_string())),
        }
    }

    fn text(
        &self,
        item: &ItemView,
        sender: &Mailbox,
        recipients: &[&RecipientView],
        message: Option<&[u8]>,
        how: &Writing,
    ) -> dsn::Written {
        let settings = self.shared.settings.load_full();
        let now = self.shared.clock.now();
        let whole = item.size <= RETURN_WHOLE_LEN_MAX && how.kind == ReportKind::Failure;
        let original = message.map(dsn::original).unwrap_or_default();
        let told: Vec<Told<'_>> = recipients.iter().map(|r| Told::new(item, r)).collect();
        let list: Vec<dsn::Recipient<'_>> = told.iter().map(Told::for_report).collect();
        let random = random(how, item.id, now);
        let hostname = &settings.own.hostname;
        let from = Mailbox {
            local: LocalPart::parse("mailer-daemon").expect("a Dot-string"),
            host: Host::Domain(hostname.clone()),
        };
        dsn::write(&dsn::Report {
            kind: match how.kind {
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
            returned: match message {
                None => dsn::Returned::Nothing,
                Some(octets) if whole => dsn::Returned::Whole(octets),
                Some(octets) => dsn::Returned::Header(octets),
            },
        })
    }

    /// The message when it is small, otherwise as much of it as holds its header; `None` when it
    /// cannot be read, which is no reason to tell its sender nothing.
    async fn beginning(&self, item: &ItemView) -> Result<Option<Vec<u8>>, StoreError> {
        match self.read(item.id).await {
            Ok(octets) => Ok(octets),
            Err(ReadError::Store(error @ StoreError::Closed)) => Err(error),
            Err(error) => {
                tracing::error!(id = %item.id, %error, "a report goes without its message");
                Ok(None)
            }
        }
    }

    async fn read(&self, id: ItemId) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(mut reader) = self.shared.store.open_item(id).await? else {
            return Ok(None);
        };
        let mut octets = Vec::new();
        while let Some(piece) = reader.next().await? {
            octets.extend(piece);
            if octets.len() as u64 > RETURN_WHOLE_LEN_MAX {
                octets.truncate(usize::try_from(RETURN_WHOLE_LEN_MAX).unwrap_or(usize::MAX));
                break;
            }
        }
        Ok(Some(octets))
    }
}

/// The same for the same report, in whatever order reports are written.
fn random(how: &Writing, id: ItemId, now: Timestamp) -> u64 {
    let numbers = [id.as_i64(), now.as_millis(), how.kind as i64];
    numbers.iter().fold(how.seed, |seed, number| {
        SmallRng::seed_from_u64(seed ^ number.cast_unsigned()).random()
    })
}
