//! What the journal's statements of a message say, taken together.

use rusqlite::Connection;

use crate::embedded::effects::Effects;
use crate::embedded::journal::pieces::{self, Piece, ReplayError, carry_out, pieces};
use crate::embedded::journal::writes::{ADD_DELIVERED, ADD_ENDED, ITEM_SPANS, Write};
use crate::spans::Spans;

/// Makes the rows that are left in the end of a message that has been delivered: the same as if each
/// statement were carried out.
pub(super) fn make_ended(db: &Connection, octets: &[u8]) -> Result<(), ReplayError> {
    let pieces: Vec<_> = pieces(octets).collect::<Result<_, _>>()?;
    let (mut end, mut closed) = (Vec::new(), None);
    for piece in &pieces {
        match piece {
            Piece::Write(Write::EndRecipient, values) => end.extend(values.iter().take(3)),
            Piece::Write(Write::CloseOne, values) => closed = values.first().copied(),
            Piece::Write(
                Write::AddBody
                | Write::AddItem
                | Write::AddRecipient
                | Write::AddMention
                | Write::TakeInHand
                | Write::AddHistory
                | Write::DropBody,
                _,
            ) => {}
            // What that leaves is not known here.
            _ => return pieces::replay(db, octets, &mut Effects::default()),
        }
    }
    for piece in pieces {
        let Piece::Write(write, mut values) = piece else {
            continue;
        };
        match write {
            Write::AddItem => {
                values.extend(closed);
                carry_out(db, ADD_ENDED, &values)?;
            }
            Write::AddRecipient => {
                values.extend(&end);
                carry_out(db, ADD_DELIVERED, &values)?;
            }
            Write::AddMention | Write::AddHistory => carry_out(db, write.sql(), &values)?,
            // The body is gone, and nobody has it in hand.
            _ => {}
        }
    }
    Ok(())
}

/// The pieces of a message that waits.
pub(super) fn spans(octets: &[u8]) -> Option<Spans> {
    pieces(octets).find_map(|piece| match piece {
        Ok(Piece::Write(Write::AddItem, values)) => {
            Spans::decode(values.get(ITEM_SPANS)?.as_blob().ok()?)
        }
        _ => None,
    })
}
