//! Delivery into mailboxes of ours.

use mailtypes::{Domain, EnhancedCode, Status};
use message::{delivered_to, return_path};
use store::{AccountId, Due, LocalDelivery, LocalOutcome, Store};

use crate::limits::LOCAL_TRIES_MAX;
use crate::maildir::{self, Parcel};
use crate::outcome::Ending;

/// What the store is asked to do.
pub(crate) fn delivery(due: &Due, account: AccountId) -> LocalDelivery {
    LocalDelivery {
        item: due.item,
        recipient: due.recipient,
        account,
        folder: INBOX.to_owned(),
        added: marks(due),
    }
}

/// What follows from an outcome.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// It lies in the mailbox.
    Delivered { uid: u32 },
    /// Somebody else has taken care of it.
    Nothing,
    /// Our own fault: again, after a pause that is kept in memory.
    Again,
    /// To be recorded.
    End(Ending),
}

/// Decides what follows. `failures` counts those of the store for this recipient, this one
/// included.
pub(crate) fn judge(outcome: LocalOutcome, failures: u32) -> Next {
    match outcome {
        LocalOutcome::Delivered { uid } | LocalOutcome::Repeated { uid } => Next::Delivered { uid },
        LocalOutcome::NotWaiting => Next::Nothing,
        LocalOutcome::NoAccount => Next::End(Ending::Never(Status::new(
            EnhancedCode::new(5, 1, 1),
            "the account was removed after the message was accepted",
        ))),
        LocalOutcome::Failed if failures < LOCAL_TRIES_MAX => Next::Again,
        // It must not stand at the front of the queue for ever.
        LocalOutcome::Failed => Next::End(Ending::Later(Status::new(
            EnhancedCode::new(4, 3, 0),
            "the mailbox could not be written",
        ))),
    }
}

/// Writes the message into the Maildir of its account.
pub(crate) async fn maildir<S: Store, P: Send + 'static>(
    store: &S,
    due: &Due,
    hostname: &Domain,
    pass: P,
) -> Ending {
    let later = |text: String| Ending::Later(Status::new(EnhancedCode::new(4, 3, 0), text));
    let Some(path) = due.maildir.clone() else {
        return later("the account has no Maildir any more".to_owned());
    };
    let reader = match store.open_final(due.item).await {
        Ok(Some(reader)) => reader,
        Ok(None) => return later("the message is gone".to_owned()),
        Err(error) => return later(format!("the message cannot be read: {error}")),
    };
    let parcel = Parcel {
        maildir: path.into(),
        name: maildir::file_name(due, hostname),
        added: marks(due),
        repeated: due.attempts > 0 || due.suspect,
    };
    match maildir::deliver(parcel, reader, pass).await {
        Ok(()) => Ending::Delivered(Status::new(EnhancedCode::new(2, 1, 5), "in the Maildir")),
        Err(error) => Ending::Later(Status::new(error.code(), error.to_string())),
    }
}

/// The fields that the delivering server adds. RFC 5321 §4.4: `Return-Path` goes first.
fn marks(due: &Due) -> String {
    let mut added = return_path::write(&due.envelope.reverse_path);
    added.push_str(&delivered_to::write(&due.address));
    added
}

/// RFC 9051 §5.1
const INBOX: &str = "INBOX";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_an_outcome() {
        let check = |outcome, failures, expect: &str| {
            let next = match judge(outcome, failures) {
                Next::Delivered { uid } => format!("delivered {uid}"),
                Next::Nothing => "nothing".to_owned(),
                Next::Again => "again".to_owned(),
                Next::End(Ending::Never(status)) => format!("never {}", status.code),
                Next::End(Ending::Later(status)) => format!("later {}", status.code),
                Next::End(other) => format!("{other:?}"),
            };
            assert_eq!(next, expect, "{outcome:?} {failures}");
        };
        check(LocalOutcome::Delivered { uid: 3 }, 1, "delivered 3");
        check(LocalOutcome::Repeated { uid: 3 }, 1, "delivered 3");
        check(LocalOutcome::NotWaiting, 1, "nothing");
        check(LocalOutcome::NoAccount, 1, "never 5.1.1");
        check(LocalOutcome::Failed, 1, "again");
        check(LocalOutcome::Failed, LOCAL_TRIES_MAX - 1, "again");
        check(LocalOutcome::Failed, LOCAL_TRIES_MAX, "later 4.3.0");
    }
}
