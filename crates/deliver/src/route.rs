//! Which way a recipient goes.

use mailtypes::Host;
use store::{AccountId, Destination, Due};

/// A way out of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// Into a mailbox of ours.
    Mailbox(AccountId),
    /// To the servers of a host: what goes to the same one belongs together.
    Remote(&'a Host),
}

/// Decides about the way. The store knows whose mailbox an address is since the message came.
pub(crate) fn route(due: &Due) -> Route<'_> {
    match due.destination {
        Destination::Account(account) => Route::Mailbox(account),
        Destination::Remote => Route::Remote(&due.address.host),
    }
}
