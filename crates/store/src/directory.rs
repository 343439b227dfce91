//! Accounts and aliases.

use mailtypes::{Mailbox, Secret, Timestamp};

/// The number of an account; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub i64);

/// Somebody who has a mailbox here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Its address, local part in lower case.
    pub address: Mailbox,
    /// The password as a PHC string.
    pub password: Secret<String>,
    /// When it was added.
    pub created: Timestamp,
    /// Where its mail goes.
    pub delivery: AccountDelivery,
}

/// Where the mail of an account goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountDelivery {
    /// Into this Maildir, instead of the folders that POP3 and IMAP show.
    pub maildir: Option<String>,
    /// On to these addresses.
    pub forward: Vec<Mailbox>,
    /// A copy stays here when it goes on.
    pub keep: bool,
}

/// An address that stands for others. The local part `*` catches all of its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The address, local part in lower case.
    pub address: Mailbox,
    /// Whom it stands for, in the order they were given; outside addresses too.
    pub targets: Vec<Mailbox>,
}

/// What the directory has under an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// An account.
    Account(AccountId),
    /// An account whose mail goes on.
    Forward {
        /// The account.
        account: AccountId,
        /// To whom.
        to: Vec<Mailbox>,
        /// A copy stays here.
        keep: bool,
    },
    /// An alias and its targets.
    Alias(Vec<Mailbox>),
}
