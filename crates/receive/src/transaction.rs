//! What a session knows between MAIL and the reply to the end of the data.

use std::sync::Arc;

use mailtypes::{Envelope, ForwardPath, Mailbox};
use message::HeaderScan;
use net::Clock;
use store::{Draft, NewRecipient, StoreError};

use crate::Settings;
use crate::deadline::within;
use crate::facts::{KeptFacts, RcptFacts};
use crate::limits::STORE_TIMEOUT;
use crate::traces;
use crate::verdict::{RecipientFacts, Routed};

/// One message on its way in. A session has it in a box, so that an idle one is small.
pub(crate) struct Transaction {
    /// The settings that it began with.
    pub(crate) settings: Arc<Settings>,
    pub(crate) envelope: Envelope,
    /// The octets that the client announced.
    pub(crate) size: Option<u64>,
    /// The paths of RCPT that were accepted: one, or how many.
    paths: Paths,
    /// The final recipients so far.
    pub(crate) recipients: Vec<NewRecipient>,
    pub(crate) kept: KeptFacts,
    pub(crate) draft: Option<Draft>,
    /// Why the draft is no more.
    pub(crate) draft_error: Option<StoreError>,
    pub(crate) scan: HeaderScan,
    /// The message as a part of traces.
    pub(crate) span: tracing::Span,
}

enum Paths {
    None,
    One(ForwardPath),
    More,
}

impl Transaction {
    pub(crate) fn new(settings: Arc<Settings>, envelope: Envelope, size: Option<u64>) -> Self {
        Self {
            span: traces::message(&envelope.reverse_path),
            settings,
            envelope,
            size,
            paths: Paths::None,
            recipients: Vec::new(),
            kept: KeptFacts::default(),
            draft: None,
            draft_error: None,
            scan: HeaderScan::new(),
        }
    }

    /// Adds what one accepted RCPT led to.
    pub(crate) fn add(&mut self, path: ForwardPath, routed: Routed, facts: &RecipientFacts) {
        self.kept.add(RcptFacts::new(&path, &routed.skipped), facts);
        self.recipients.extend(routed.recipients);
        self.paths = match self.paths {
            Paths::None => Paths::One(path),
            Paths::One(_) | Paths::More => Paths::More,
        };
    }

    /// The mailbox that the envelope is for, when it has exactly one RCPT.
    ///
    /// The one that the client wrote: where our aliases lead is not for the message to tell.
    pub(crate) fn only_mailbox(&self) -> Option<&Mailbox> {
        match &self.paths {
            Paths::One(ForwardPath::Mailbox(mailbox)) => Some(mailbox),
            Paths::One(ForwardPath::Postmaster) | Paths::None | Paths::More => None,
        }
    }

    /// Takes in a piece of the body. After a failure the rest is only read.
    pub(crate) async fn write(&mut self, clock: &Clock, octets: &[u8]) {
        self.scan.push(octets);
        let Some(draft) = &mut self.draft else { return };
        let written = within(clock, STORE_TIMEOUT, draft.write(octets)).await;
        let late = || Err(StoreError::Disk("a draft takes too long".to_owned()));
        if let Err(error) = written.unwrap_or_else(late) {
            self.draft = None;
            self.draft_error = Some(error);
        }
    }
}
