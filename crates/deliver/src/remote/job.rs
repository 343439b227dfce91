//! Recipients of one message that go to one next hop in one transaction.

use mailtypes::{ItemId, Mailbox};
use message::delivered_to;
use proto::smtp::client::OutgoingMail;
use store::Due;

use crate::limits::RECIPIENTS_PER_TRANSACTION;
use crate::sites::age::Age;

/// One transaction to make.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Never empty, all of one item.
    pub(crate) recipients: Vec<Due>,
    /// Why it goes this way, for people.
    pub(crate) reason: String,
    /// The books say that it is in hand.
    pub(crate) begun: bool,
}

impl Job {
    pub(crate) fn new(due: Due, reason: String) -> Self {
        Self {
            recipients: vec![due],
            reason,
            begun: false,
        }
    }

    pub(crate) fn item(&self) -> ItemId {
        self.recipients[0].item
    }

    /// Octets of the message.
    pub(crate) fn size(&self) -> u64 {
        self.recipients[0].size
    }

    /// Whether its recipients were tried or put off before.
    pub(crate) fn age(&self) -> Age {
        Age::of(&self.recipients[0])
    }

    /// Adds a recipient that can be told to the same server in the same breath; gives it back when
    /// it cannot.
    pub(crate) fn join(&mut self, due: Due) -> Option<Due> {
        let fits = self.item() == due.item
            && self.age() == Age::of(&due)
            && self.recipients.len() < RECIPIENTS_PER_TRANSACTION
            && self.recipients[0].sent_on_by == due.sent_on_by;
        if fits {
            self.recipients.push(due);
            return None;
        }
        Some(due)
    }

    /// What goes in front of the message: the mark of an address of ours that sends it on, by which
    /// it is known when it comes back.
    pub(crate) fn mark(&self) -> String {
        let mark = self.recipients[0].sent_on_by.as_ref();
        mark.map(delivered_to::write).unwrap_or_default()
    }

    /// What the server is told.
    pub(crate) fn mail(&self) -> OutgoingMail {
        let first = &self.recipients[0];
        OutgoingMail {
            reverse_path: first.envelope.reverse_path.clone(),
            recipients: self.addresses(),
            size: first.size + self.mark().len() as u64,
            body: first.envelope.body,
            has_8bit: first.has_8bit,
            longest_line: first.longest_line,
        }
    }

    fn addresses(&self) -> Vec<Mailbox> {
        self.recipients
            .iter()
            .map(|due| due.address.clone())
            .collect()
    }
}
