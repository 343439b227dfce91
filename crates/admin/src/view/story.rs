//! The story of an item.

use mailtypes::{ReversePath, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Destination, Event, ItemView, QueueLine};

use super::{ItemLine, RecipientLine};

/// All that happened to one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoryView {
    /// The queue id.
    pub id: String,
    /// When it was accepted.
    pub accepted: String,
    /// The sender; empty for a report.
    pub from: String,
    /// Size in octets, our added fields included.
    pub size: u64,
    /// The client's address; nothing for a message of our own making.
    pub client: Option<String>,
    /// What the client called itself.
    pub helo: Option<String>,
    /// The protocol word.
    pub protocol: Option<String>,
    /// Who logged in.
    pub login: Option<String>,
    /// TLS version and cipher.
    pub tls: Option<String>,
    /// Its recipients.
    pub recipients: Vec<RecipientView>,
    /// What happened, in order.
    pub events: Vec<EventView>,
    /// What the decision to accept it rested on.
    pub facts: serde_json::Value,
    /// See [`Answer::behind`](super::Answer::behind).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// One recipient and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientView {
    /// Its number in the item.
    pub n: u32,
    /// The final address.
    pub address: String,
    /// What the client wrote.
    pub original: String,
    /// The aliases that were followed.
    pub via: Vec<String>,
    /// `account` or `remote`.
    pub destination: String,
    /// Why it goes there.
    pub reason: String,
    /// Where it stands.
    pub state: String,
    /// When the next attempt is due.
    pub due: Option<String>,
    /// An attempt is under way.
    #[serde(default)]
    pub in_hand: bool,
    /// Attempts made so far.
    pub attempts: u32,
    /// What the last attempt said.
    pub status: Option<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// When.
    pub at: String,
    /// To which recipient; nobody means the whole item.
    pub recipient: Option<String>,
    /// What: `delivered`, `deferred`, `failed`, `held`, `released`, `removed`, `bounced`, `suppressed`.
    pub what: String,
    /// The status of an attempt.
    pub status: Option<String>,
    /// The way and host, or who did it.
    pub detail: String,
    /// What an attempt asked and was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<serde_json::Value>,
}

impl From<&ItemView> for StoryView {
    fn from(item: &ItemView) -> Self {
        let origin = item.origin.as_ref();
        Self {
            id: item.id.to_string(),
            accepted: time(item.accepted),
            from: path(&item.envelope.reverse_path),
            size: item.size,
            client: origin.map(|origin| origin.client.to_string()),
            helo: origin.map(|origin| origin.helo.clone()),
            protocol: origin.map(|origin| origin.protocol.to_string()),
            login: origin.and_then(|origin| origin.login.clone()),
            tls: origin.and_then(|origin| origin.tls.clone()),
            recipients: item.recipients.iter().map(recipient).collect(),
            events: item.events.iter().map(|e| event(item, e)).collect(),
            facts: serde_json::from_str(&item.facts.json).unwrap_or_default(),
            behind: None,
        }
    }
}

impl From<&ItemView> for ItemLine {
    fn from(item: &ItemView) -> Self {
        let open = item.recipients.iter().filter(|r| !r.state.is_end()).count();
        Self {
            id: item.id.to_string(),
            accepted: time(item.accepted),
            from: path(&item.envelope.reverse_path),
            size: item.size,
            recipients: item.recipients.iter().map(RecipientLine::from).collect(),
            open: u32::try_from(open).unwrap_or(u32::MAX),
        }
    }
}

impl From<&QueueLine> for ItemLine {
    fn from(line: &QueueLine) -> Self {
        Self {
            id: line.id.to_string(),
            accepted: time(line.accepted),
            from: path(&line.reverse_path),
            size: line.size,
            recipients: line.recipients.iter().map(RecipientLine::from).collect(),
            open: line.open,
        }
    }
}

impl From<&store::RecipientView> for RecipientLine {
    fn from(recipient: &store::RecipientView) -> Self {
        Self {
            address: recipient.address.to_string(),
            state: recipient.state.as_str().to_owned(),
            due: recipient.due.map(time),
            in_hand: recipient.in_hand,
            status: recipient.status.as_ref().map(ToString::to_string),
        }
    }
}

fn recipient(view: &store::RecipientView) -> RecipientView {
    RecipientView {
        n: view.n,
        address: view.address.to_string(),
        original: view.original.clone(),
        via: view.via.iter().map(ToString::to_string).collect(),
        destination: match view.destination {
            Destination::Account(_) => "account".to_owned(),
            Destination::Remote => "remote".to_owned(),
        },
        reason: view.reason.clone(),
        state: view.state.as_str().to_owned(),
        due: view.due.map(time),
        in_hand: view.in_hand,
        attempts: view.attempts,
        status: view.status.as_ref().map(ToString::to_string),
    }
}

fn event(item: &ItemView, event: &Event) -> EventView {
    let address = |n: u32| {
        let recipient = item.recipients.iter().find(|r| r.n == n);
        recipient.map_or_else(|| format!("#{n}"), |r| r.address.to_string())
    };
    EventView {
        at: time(event.at),
        recipient: event.recipient.map(address),
        what: event.kind.as_str().to_owned(),
        status: event.status.as_ref().map(ToString::to_string),
        detail: event.detail.clone(),
        trail: event
            .trail
            .as_deref()
            .and_then(|trail| serde_json::from_str(trail).ok()),
    }
}

/// The one form of times in answers.
pub(crate) fn time(at: Timestamp) -> String {
    message::date::rfc3339(at)
}

/// A sender: empty when nobody wants to hear of failures.
pub(crate) fn path(path: &ReversePath) -> String {
    path.mailbox().map_or_else(String::new, ToString::to_string)
}
