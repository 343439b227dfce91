//! What an operator can ask.

use mailtypes::Secret;
use serde::{Deserialize, Serialize};

/// The form of [`Request`] and [`crate::Answer`] on the control socket.
pub const VERSION: u32 = 2;

/// One line on the control socket: a request with the version of its form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// [`VERSION`] of the one who asks.
    pub version: u32,
    /// What is asked.
    pub request: Request,
}

/// A question or an order. Who gives it is never part of it: the socket knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the server is.
    Status,
    /// Whether the server is on its way out: the next one asks.
    Stopping,
    /// Where a message is: by queue id, or all of an address, newest first.
    Trace {
        /// A queue id or an address.
        what: String,
        /// For an address: only items before this one.
        before: Option<String>,
        /// For an address: at most so many items.
        limit: usize,
    },
    /// Items with open recipients, oldest first.
    QueueList {
        /// Which of them.
        #[serde(default, skip_serializing_if = "Which::is_all")]
        which: Which,
        /// Only items behind this one.
        after: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// One item of the queue.
    QueueShow {
        /// Its queue id.
        id: String,
    },
    /// Does something to items of the queue: a page of them, oldest first.
    Order {
        /// What.
        order: Order,
        /// To which.
        which: Which,
        /// Only items behind this one.
        after: Option<String>,
    },
    /// What happens with mail for an address of ours.
    Address {
        /// The address.
        address: String,
    },
    /// Whether the books balance.
    Audit,
    /// Reads every body and compares checksums.
    Check,
    /// Adds an account.
    AccountAdd {
        /// Its address.
        address: String,
        /// The password as a PHC string: the password itself never travels.
        password_hash: HashText,
    },
    /// Accounts by address.
    AccountList {
        /// Only those behind this address.
        after: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Removes an account and its mail.
    AccountRemove {
        /// Its address.
        address: String,
    },
    /// Changes a password.
    AccountPasswd {
        /// The address of the account.
        address: String,
        /// The password as a PHC string.
        password_hash: HashText,
    },
    /// Says where the mail of an account goes, in place of what held before.
    AccountDeliver {
        /// The address of the account.
        address: String,
        /// Into this Maildir; else into folders of this server.
        maildir: Option<String>,
        /// On to these addresses.
        forward: Vec<String>,
        /// A copy stays here when it goes on.
        keep: bool,
    },
    /// Adds an alias or replaces its targets.
    AliasSet {
        /// The address; `*@example.org` catches all of a domain.
        address: String,
        /// Whom it stands for.
        targets: Vec<String>,
    },
    /// Aliases by address.
    AliasList {
        /// Only those behind this address.
        after: Option<String>,
        /// At most so many.
        limit: usize,
    },
    /// Removes an alias.
    AliasRemove {
        /// Its address.
        address: String,
    },
    /// Messages of an account.
    MailList {
        /// The address of the account.
        account: String,
        /// Only those behind this UID.
        after: u32,
        /// At most so many.
        limit: usize,
    },
    /// One message, octet by octet.
    MailShow {
        /// The address of the account.
        account: String,
        /// Its UID.
        uid: u32,
    },
}

/// What can be done to items of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Keep them from being delivered.
    Hold,
    /// Let held ones go, and try waiting ones at once.
    Release,
    /// Try waiting ones at once.
    Retry,
    /// End them; their mail goes nowhere.
    Remove,
}

/// Which items are meant: those for which all that is given holds; nothing given means all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// The one with this queue id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Those with open recipients at this domain, and of these only such recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Those of this sender; empty for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// Those that were accepted longer ago than so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than: Option<u64>,
}

impl Which {
    /// Whether it is one item as a whole.
    pub fn names_one(&self) -> bool {
        self.id.is_some() && self.sender.is_none() && self.older_than.is_none()
    }

    /// Whether nothing is left out.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A PHC string on its way. It is shown to nobody: who has it can try passwords at leisure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct HashText(pub(crate) Secret<String>);

impl From<String> for HashText {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

impl From<HashText> for String {
    fn from(text: HashText) -> Self {
        text.0.expose().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_write_and_parse_back() {
        let request = Request::QueueList {
            which: Which::default(),
            after: None,
            limit: 100,
        };
        let line = Line {
            version: VERSION,
            request: request.clone(),
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(
            text,
            r#"{"version":2,"request":{"ask":"queue_list","after":null,"limit":100}}"#
        );
        assert_eq!(
            serde_json::from_str::<Line>(&text).unwrap().request,
            request
        );
    }

    #[test]
    fn a_hash_is_not_shown() {
        let request = Request::AccountAdd {
            address: "ann@example.org".to_owned(),
            password_hash: "$argon2id$v=19$secret".to_owned().into(),
        };
        let shown = format!("{request:?}");
        assert!(
            shown.contains("ann@") && !shown.contains("argon2id"),
            "{shown}"
        );
        // On the socket it has to be.
        let text = serde_json::to_string(&request).unwrap();
        assert!(text.contains("$argon2id$v=19$secret"), "{text}");
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }

    #[test]
    fn who_asks_cannot_be_claimed() {
        let forged = r#"{"version":2,"request":{"ask":"order","order":"hold","which":{},"after":null,"by":"root"}}"#;
        assert!(serde_json::from_str::<Line>(forged).is_err());
    }
}
