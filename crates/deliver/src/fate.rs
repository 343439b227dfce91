//! One log line for each fate on the way out: `delivered`, `deferred` or `failed`.
//!
//! Scripts read these: the names of the fields stay. Never message text, never secrets.

use mailtypes::Timestamp;
use message::date;
use store::{AccountId, Due, Outcome};

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
        Outcome::Failed(status) => {
            tracing::info!(target: "mail", %id, to = %to, attempts, %status, "failed");
        }
    }
}
