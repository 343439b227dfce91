//! What was to go to another server is for an account of ours.

use mailtypes::ItemId;
use rusqlite::params;

use crate::embedded::order::Order;
use crate::embedded::turn::Turn;
use crate::item::{Lane, Lease};
use crate::story::{EventKind, RecipientState};
use crate::{AccountId, StoreError};

/// Gives a recipient that waits for another server to an account: it is due at once.
pub(crate) struct BringHome {
    pub(crate) lease: Lease,
    pub(crate) item: ItemId,
    pub(crate) recipient: u32,
    pub(crate) account: AccountId,
    /// For the history.
    pub(crate) why: String,
}

impl Order for BringHome {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        turn.check_lease(&self.lease, self.item)?;
        // What has ended, is held or was brought home meanwhile is left as it is.
        let changed = turn
            .db
            .prepare_cached(
                "UPDATE recipient SET account = ?, due = ?, lane = ?
                 WHERE item = ? AND n = ? AND state = ? AND account IS NULL",
            )?
            .execute(params![
                self.account.0,
                turn.now.as_millis(),
                Lane::Here.code(),
                self.item.as_i64(),
                self.recipient,
                RecipientState::Queued.code(),
            ])?;
        if changed > 0 {
            let (n, kind) = (Some(self.recipient), EventKind::Retried);
            turn.note(self.item, n, kind, None, &self.why)?;
        }
        Ok(())
    }
}
