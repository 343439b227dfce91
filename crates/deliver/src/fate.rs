//! One log line for each fate on the way out: `delivered`, `deferred`, `postponed` or `failed`.
//!
//! Scripts read these: the names of the fields stay. Never message text, never secrets.

use mailtypes::{ItemId, Mailbox, Timestamp};
use message::date;
use store::{AccountId, Due, Outcome, ReportKind};

/// It lies in a mailbox of ours.
pub(crate) fn delivered(due: &Due, account: AccountId, uid: u32, now: Timestamp) {
    let Due {
        item: id,
        address: to,
        accepted,
        ..
    } = due;
    let delay = now.since(*accepted).as_secs_f64();
    tracing::info!(target: "mail", %id, to = %to, account = account.0, uid, delay, "delivered");
}

/// An outcome was recorded.
pub(crate) fn recorded(due: &Due, outcome: &Outcome) {
    let Due {
        item: id,
        address: to,
        attempts: made,
        ..
    } = due;
    let attempts = made + 1;
    match outcome {
        Outcome::Delivered(status) => {
            tracing::info!(target: "mail", %id, to = %to, attempts, %status, "delivered");
        }
        Outcome::Deferred(status, again) => {
            let next = date::rfc3339(*again);
            tracing::info!(target: "mail", %id, to = %to, attempts, %status, next, "deferred");
        }
        Outcome::Postponed(status, again) => {
            let next = date::rfc3339(*again);
            tracing::info!(target: "mail", %id, to = %to, attempts = made, %status, next, "postponed");
        }
        Outcome::Crashed(again) => {
            let next = date::rfc3339(*again);
            tracing::error!(target: "mail", %id, to = %to, attempts, next, "crashed");
        }
        Outcome::Failed(status) => {
            tracing::info!(target: "mail", %id, to = %to, attempts, %status, "failed");
        }
    }
}

/// The sender is told.
pub(crate) fn reported(about: ItemId, report: ItemId, kind: ReportKind) {
    match kind {
        ReportKind::Failure => tracing::info!(target: "mail", id = %about, %report, "bounced"),
        ReportKind::Delay => tracing::info!(target: "mail", id = %about, %report, "warned"),
    }
}

/// Nobody is told.
pub(crate) fn suppressed(id: ItemId, recipients: &[(u32, Mailbox)], reason: &str) {
    for (_, to) in recipients {
        tracing::info!(target: "mail", %id, to = %to, reason, "suppressed");
    }
}
