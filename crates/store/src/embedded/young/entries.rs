//! What the journal's statements of a message say, taken together.

use std::ops::Range;

use rusqlite::Connection;

use crate::embedded::effects::Effects;
use crate::embedded::journal::pieces::{self, Piece, Pieces, ReplayError, carry_out};
use crate::embedded::journal::writes::{ADD_DELIVERED, ADD_ENDED, ITEM_SPANS, Write};
use crate::spans::Spans;

/// Makes the rows that are left in the end of a message that has been delivered: the same as if each
/// statement were carried out.
pub(super) fn make_ended(db: &Connection, octets: &[u8]) -> Result<(), ReplayError> {
    let mut pieces = Pieces::of(octets);
    let mut kept = Vec::with_capacity(WRITES_USUAL);
    let (mut end, mut closed) = (0..0, 0..0);
    while let Some(piece) = pieces.read() {
        let (piece, values) = piece?;
        match piece {
            Piece::Write(Write::EndRecipient) if end.is_empty() => end = first(values, 3),
            Piece::Write(Write::CloseOne) if closed.is_empty() => closed = first(values, 1),
            Piece::Write(
                write @ (Write::AddItem
                | Write::AddRecipient
                | Write::AddMention
                | Write::AddHistory),
            ) => kept.push((write, values)),
            // The body is gone, and nobody has it in hand.
            Piece::Write(Write::AddBody | Write::TakeInHand | Write::DropBody) => {}
            // What that leaves is not known here.
            _ => return pieces::replay(db, octets, &mut Effects::default()),
        }
    }
    let (end, closed) = (pieces.values(end), pieces.values(closed));
    for (write, values) in kept {
        let (sql, more) = match write {
            Write::AddItem => (ADD_ENDED, closed),
            Write::AddRecipient => (ADD_DELIVERED, end),
            _ => (write.sql(), &[][..]),
        };
        carry_out(db, sql, pieces.values(values), more)?;
    }
    Ok(())
}

/// At most so many from the front.
fn first(values: Range<usize>, count: usize) -> Range<usize> {
    values.start..values.end.min(values.start + count)
}

/// The pieces of a message that waits.
pub(super) fn spans(octets: &[u8]) -> Option<Spans> {
    let mut pieces = Pieces::of(octets);
    while let Some(Ok((piece, values))) = pieces.read() {
        if matches!(piece, Piece::Write(Write::AddItem)) {
            let spans = pieces.values(values).get(ITEM_SPANS)?;
            return Spans::decode(spans.as_blob().ok()?);
        }
    }
    None
}

/// As many statements that leave a row as the story of a message that is delivered at once has.
const WRITES_USUAL: usize = 8;
