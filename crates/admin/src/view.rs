//! Answers as plain fields. The names are stable: scripts read them. Times are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

mod story;

pub use story::{EventView, RecipientView, StoryView};
pub(crate) use story::{path as story_path, time as story_time};

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// How the server is.
    Status(StatusView),
    /// Whether the server is on its way out.
    Stopping {
        /// It ends as soon as what it has begun has ended.
        stopping: bool,
    },
    /// All that happened to one item.
    Story(Box<StoryView>),
    /// Items of an address, newest first.
    Trace(TraceView),
    /// Items with open recipients, oldest first.
    Queue(QueueView),
    /// An order was carried out.
    Done(DoneView),
    /// An order to items of the queue was carried out.
    Order(OrderView),
    /// What happens with mail for an address.
    Address(AddressView),
    /// The books.
    Audit(AuditView),
    /// What a reading of all bodies found.
    Check(CheckView),
    /// Accounts.
    Accounts(AccountsView),
    /// Aliases.
    Aliases(AliasesView),
    /// Messages of an account.
    Mail(MailView),
    /// A message; on the socket its octets follow behind the line.
    Message(MessageView),
}

impl Answer {
    /// In one line, why the answer is from the last commit, when it is: what has been accepted and done
    /// since then is safe on the disk, and not in the answer.
    pub fn behind(&self) -> Option<&str> {
        match self {
            Self::Status(status) => status.behind.as_deref(),
            Self::Story(story) => story.behind.as_deref(),
            Self::Trace(trace) => trace.behind.as_deref(),
            Self::Queue(queue) => queue.behind.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn set_behind(&mut self, text: String) {
        match self {
            Self::Status(status) => status.behind = Some(text),
            Self::Story(story) => story.behind = Some(text),
            Self::Trace(trace) => trace.behind = Some(text),
            Self::Queue(queue) => queue.behind = Some(text),
            _ => {}
        }
    }
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The program's version.
    pub version: String,
    /// Whether a server runs on the data.
    pub running: bool,
    /// Since when, in seconds.
    pub uptime_secs: Option<u64>,
    /// Recipients that are not at their end.
    pub open: u64,
    /// See [`Answer::behind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// Items of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceView {
    /// The address asked for.
    pub address: String,
    /// Its items, newest first.
    pub items: Vec<ItemLine>,
    /// The `before` that goes on, when there may be more.
    pub next: Option<String>,
    /// See [`Answer::behind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// Items with open recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// The items, oldest first.
    pub items: Vec<ItemLine>,
    /// The `after` that goes on, when there may be more.
    pub next: Option<String>,
    /// See [`Answer::behind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
}

/// An item in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemLine {
    /// The queue id.
    pub id: String,
    /// When it was accepted.
    pub accepted: String,
    /// The sender; empty for a report.
    pub from: String,
    /// Size in octets.
    pub size: u64,
    /// Recipients; in a queue list only the first open ones.
    pub recipients: Vec<RecipientLine>,
    /// How many recipients are open in all.
    pub open: u32,
}

/// A recipient in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientLine {
    /// The final address.
    pub address: String,
    /// Where it stands.
    pub state: String,
    /// When the next attempt is due.
    pub due: Option<String>,
    /// An attempt is under way.
    #[serde(default)]
    pub in_hand: bool,
    /// What the last attempt said.
    pub status: Option<String>,
}

/// An order was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneView {
    /// One line for people.
    pub message: String,
}

/// What an order to items of the queue came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderView {
    /// Items that it applied to.
    pub items: u64,
    /// Their recipients.
    pub recipients: u64,
    /// The `after` that goes on, when there may be more.
    pub next: Option<String>,
}

/// What happens with mail for an address of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    /// The address asked for.
    pub address: String,
    /// Its final recipients.
    pub to: Vec<EndView>,
    /// Why there is none, as the reply to RCPT.
    pub refused: Option<String>,
}

/// A final recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndView {
    /// Its address.
    pub address: String,
    /// `mailbox`, `maildir` or `remote`.
    pub into: String,
    /// The folder of a Maildir.
    pub maildir: Option<String>,
    /// How mail comes there: which aliases are followed.
    pub reason: String,
}

/// The books of the queue: accepted = delivered + bounced + suppressed + removed + open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Whether nothing is missing.
    pub balanced: bool,
    /// Accepted recipients of all time.
    pub accepted: u64,
    /// Delivered.
    pub delivered: u64,
    /// Failed, and the sender was told.
    pub bounced: u64,
    /// Failed, and nobody was told, for a stated reason.
    pub suppressed: u64,
    /// Removed by a person.
    pub removed: u64,
    /// Still open.
    pub open: u64,
    /// What does not fit.
    pub problems: Vec<ProblemView>,
}

/// What a reading of all bodies found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckView {
    /// Bodies read.
    pub bodies: u64,
    /// Octets read.
    pub octets: u64,
    /// What is damaged.
    pub problems: Vec<ProblemView>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemView {
    /// The item that it touches.
    pub id: Option<String>,
    /// What is wrong.
    pub text: String,
}

/// Accounts by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountsView {
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// The `after` that goes on, when there may be more.
    pub next: Option<String>,
}

/// An account. Its password is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its address.
    pub address: String,
    /// When it was added.
    pub created: String,
    /// Its mail goes into this Maildir instead of a mailbox here.
    #[serde(default)]
    pub maildir: Option<String>,
    /// Its mail goes on to these.
    #[serde(default)]
    pub forward: Vec<String>,
    /// A copy stays here when it goes on.
    #[serde(default)]
    pub keep: bool,
}

/// Aliases by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasesView {
    /// The aliases.
    pub aliases: Vec<AliasView>,
    /// The `after` that goes on, when there may be more.
    pub next: Option<String>,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// Its address.
    pub address: String,
    /// Whom it stands for.
    pub targets: Vec<String>,
}

/// Messages of an account, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailView {
    /// The account.
    pub account: String,
    /// Its messages.
    pub messages: Vec<MailLine>,
    /// The `after` that goes on, when there may be more.
    pub next: Option<u32>,
}

/// A message in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailLine {
    /// Its UID in the folder.
    pub uid: u32,
    /// When it was delivered.
    pub arrived: String,
    /// Size in octets.
    pub size: u64,
    /// The queue id that brought it.
    pub id: String,
    /// The sender of its envelope, as long as its story is kept; empty for a report.
    pub from: Option<String>,
}

/// A message whose octets follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// The account.
    pub account: String,
    /// Its UID in the folder.
    pub uid: u32,
    /// How many octets follow.
    pub size: u64,
}
