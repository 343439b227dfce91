//! What an operator can ask.

use serde::{Deserialize, Serialize};

/// The form of [`Request`] and [`crate::Answer`] on the control socket.
pub const VERSION: u32 = 1;

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
    /// Keeps an item from being delivered.
    Hold {
        /// Its queue id.
        id: String,
    },
    /// Lets a held item go, or tries a waiting one at once.
    Release {
        /// Its queue id.
        id: String,
    },
    /// Ends an item; its mail goes nowhere.
    Remove {
        /// Its queue id.
        id: String,
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
        password_hash: String,
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
        password_hash: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_write_and_parse_back() {
        let request = Request::QueueList {
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
            r#"{"version":1,"request":{"ask":"queue_list","after":null,"limit":100}}"#
        );
        assert_eq!(
            serde_json::from_str::<Line>(&text).unwrap().request,
            request
        );
    }

    #[test]
    fn who_asks_cannot_be_claimed() {
        let forged = r#"{"version":1,"request":{"ask":"hold","id":"01JD5M0F7QK2Z","by":"root"}}"#;
        assert!(serde_json::from_str::<Line>(forged).is_err());
    }
}
