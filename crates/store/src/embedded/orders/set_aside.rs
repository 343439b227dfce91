//! Keeping damaged recipients out of the way of the others.

use mailtypes::ItemId;
use rusqlite::params;
use tracing::error;

use crate::StoreError;
use crate::embedded::order::Order;
use crate::embedded::queries::due::Damaged;
use crate::embedded::turn::Turn;
use crate::story::{EventKind, RecipientState};

/// Holds recipients that are due and cannot be read: they would be due for ever, and enough of
/// them would leave no place for others. An operator releases or removes them.
pub(crate) struct SetAside {
    pub(crate) damaged: Vec<Damaged>,
}

impl Order for SetAside {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for Damaged {
            item,
            recipient,
            wrong,
        } in &self.damaged
        {
            // What has ended, held or gone meanwhile is left as it is. An end stays an end: the
            // books count it.
            let changed = turn
                .db
                .prepare_cached(
                    "UPDATE recipient SET state = max(state, ?), due = NULL, lane = NULL
                     WHERE item = ? AND n = ? AND due <= ?",
                )?
                .execute(params![
                    RecipientState::Held.code(),
                    item,
                    recipient,
                    turn.now.as_millis()
                ])?;
            if changed == 0 {
                continue;
            }
            error!(
                item,
                recipient, wrong, "a recipient in the queue is damaged and held"
            );
            if let Some(id) = ItemId::from_i64(*item) {
                let detail = format!("set aside as damaged: {wrong}");
                turn.note(id, Some(*recipient), EventKind::Held, None, &detail)?;
            }
        }
        Ok(())
    }
}
