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
    /// An alias and its targets.
    Alias(Vec<Mailbox>),
}
