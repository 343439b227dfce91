//! The mark of what is in hand, made before an attempt whose end may get lost.

use mailtypes::ItemId;
use rusqlite::{OptionalExtension, params};

use crate::StoreError;
use crate::embedded::journal::writes::Write;
use crate::embedded::order::{Lasting, Order};
use crate::embedded::turn::Turn;
use crate::item::{Begun, Lease};
use crate::limits::STRIKES_MAX;
use crate::story::{EventKind, RecipientState};

/// Marks recipients as in hand. A mark of an earlier epoch is that of a process that died.
pub(crate) struct Begin {
    pub(crate) lease: Lease,
    pub(crate) attempts: Vec<(ItemId, u32)>,
    /// Should the process die, this attempt is to blame.
    pub(crate) watched: bool,
}

impl Order for Begin {
    type Answer = Vec<Begun>;
    type Error = StoreError;

    /// It is not the client that waits.
    const CAN_WAIT: bool = true;

    fn lasting(&self) -> Lasting {
        Lasting::Journal
    }

    fn knows_young(&self) -> bool {
        true
    }

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<Vec<Begun>, StoreError> {
        let attempts = std::mem::take(&mut self.attempts);
        attempts
            .into_iter()
            .map(|(item, recipient)| self.one(turn, item, recipient))
            .collect()
    }
}

impl Begin {
    fn one(&self, turn: &mut Turn<'_>, item: ItemId, recipient: u32) -> Result<Begun, StoreError> {
        turn.check_lease(&self.lease, item)?;
        let mark = self.lease.epoch * 2 + i64::from(self.watched);
        let take = |turn: &mut Turn<'_>| {
            let queued = RecipientState::Queued.code();
            turn.write(
                Write::TakeInHand,
                params![mark, item.as_i64(), recipient, queued, STRIKES_MAX],
            )
        };
        let taken = match turn.add_to_young(item, recipient, take)? {
            Some(taken) => taken,
            None => {
                turn.make_rows(item)?;
                take(turn)?
            }
        };
        if taken > 0 {
            return Ok(Begun::Go);
        }
        // It does not wait, or a process died with it in hand, or it has had enough.
        let found: Option<(i64, Option<i64>, u32)> = turn
            .db
            .prepare_cached("SELECT state, hands, strikes FROM recipient WHERE item = ? AND n = ?")?
            .query_row(params![item.as_i64(), recipient], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((state, hands, mut strikes)) = found else {
            return Ok(Begun::NotWaiting);
        };
        if state != RecipientState::Queued.code() {
            return Ok(Begun::NotWaiting);
        }
        if let Some(hands) = hands
            && hands / 2 != self.lease.epoch
        {
            turn.note(
                item,
                Some(recipient),
                EventKind::Interrupted,
                None,
                INTERRUPTED,
            )?;
            strikes += u32::from(hands % 2 == 1);
        }
        if strikes >= STRIKES_MAX {
            turn.set_aside(item, recipient)?;
            return Ok(Begun::SetAside);
        }
        turn.write(
            Write::MarkHands,
            params![mark, strikes, item.as_i64(), recipient],
        )?;
        Ok(Begun::Go)
    }
}

const INTERRUPTED: &str =
    "the server stopped while an attempt was under way: the message may arrive twice";
