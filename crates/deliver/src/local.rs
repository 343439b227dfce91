//! Delivery into mailboxes of ours.

use mailtypes::{EnhancedCode, Status, Timestamp};
use message::{delivered_to, return_path};
use store::{AccountId, Attempt, Due, LocalDelivery, LocalOutcome, Outcome};

use crate::limits::LOCAL_TRIES_MAX;

/// What the store is asked to do. RFC 5321 §4.4: `Return-Path` goes first.
pub(crate) fn delivery(due: &Due, account: AccountId) -> LocalDelivery {
    let mut added = return_path::write(&due.envelope.reverse_path);
    added.push_str(&delivered_to::write(&due.address));
    LocalDelivery {
        item: due.item,
        recipient: due.recipient,
        account,
        folder: INBOX.to_owned(),
        added,
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
    Record(Outcome),
}

/// Decides what follows. `failures` counts those of the store for this recipient, this one
/// included; `again` is when the schedule would have it come back.
pub(crate) fn judge(outcome: LocalOutcome, failures: u32, again: Timestamp) -> Next {
    match outcome {
        LocalOutcome::Delivered { uid } | LocalOutcome::Repeated { uid } => Next::Delivered { uid },
        LocalOutcome::NotWaiting => Next::Nothing,
        LocalOutcome::NoAccount => Next::Record(Outcome::Failed(Status::new(
            EnhancedCode::new(5, 1, 1),
            "the account was removed after the message was accepted",
        ))),
        LocalOutcome::Failed if failures < LOCAL_TRIES_MAX => Next::Again,
        // It must not stand at the front of the queue for ever.
        LocalOutcome::Failed => Next::Record(Outcome::Deferred(
            Status::new(
                EnhancedCode::new(4, 3, 0),
                "the mailbox could not be written",
            ),
            again,
        )),
    }
}

/// An attempt at a mailbox, as it is recorded.
pub(crate) fn attempt(due: &Due, outcome: Outcome) -> Attempt {
    Attempt {
        item: due.item,
        recipient: due.recipient,
        outcome,
        detail: "mailbox".to_owned(),
    }
}

/// RFC 9051 §5.1
const INBOX: &str = "INBOX";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_an_outcome() {
        let again = Timestamp::from_millis(7);
        let check = |outcome, failures, expect: &str| {
            let next = match judge(outcome, failures, again) {
                Next::Delivered { uid } => format!("delivered {uid}"),
                Next::Nothing => "nothing".to_owned(),
                Next::Again => "again".to_owned(),
                Next::Record(Outcome::Failed(status)) => format!("failed {}", status.code),
                Next::Record(Outcome::Deferred(status, at)) => {
                    assert_eq!(at, again);
                    format!("deferred {}", status.code)
                }
                Next::Record(Outcome::Delivered(_)) => "wrong".to_owned(),
            };
            assert_eq!(next, expect, "{outcome:?} {failures}");
        };
        check(LocalOutcome::Delivered { uid: 3 }, 1, "delivered 3");
        check(LocalOutcome::Repeated { uid: 3 }, 1, "delivered 3");
        check(LocalOutcome::NotWaiting, 1, "nothing");
        check(LocalOutcome::NoAccount, 1, "failed 5.1.1");
        check(LocalOutcome::Failed, 1, "again");
        check(LocalOutcome::Failed, LOCAL_TRIES_MAX - 1, "again");
        check(LocalOutcome::Failed, LOCAL_TRIES_MAX, "deferred 4.3.0");
    }
}
