//! Delivery to other servers: here it will be grouped by next hop and sent.
//!
//! This version does not send. Such mail comes in by aliases that lead outside; it is kept and
//! looked at again by the schedule, so that nothing is lost when a later version takes over.

use mailtypes::{EnhancedCode, Host, Status, Timestamp};
use store::{Attempt, Due, Outcome};

/// The attempt at a recipient of another host, as it is recorded.
pub(crate) fn attempt(due: &Due, host: &Host, again: Timestamp) -> Attempt {
    Attempt {
        item: due.item,
        recipient: due.recipient,
        outcome: Outcome::Deferred(not_yet(), again),
        detail: format!("to {host}"),
    }
}

/// RFC 3463 §3.5: unable to route
fn not_yet() -> Status {
    Status::new(
        EnhancedCode::new(4, 4, 4),
        "this version does not send mail to other servers yet; it is kept",
    )
}
