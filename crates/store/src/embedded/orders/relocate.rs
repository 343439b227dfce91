//! Bodies get a new place: the commit in the middle of a compaction.

use rusqlite::{Connection, params};

use crate::StoreError;
use crate::body_log::Place;
use crate::embedded::evacuate::is_named;
use crate::embedded::order::Order;
use crate::embedded::turn::Turn;

/// A body and where it was and is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) body: i64,
    pub(crate) from: Place,
    pub(crate) to: Place,
}

/// Names new places of bodies that are still where they were.
pub(crate) struct Relocate {
    pub(crate) moves: Vec<Move>,
    /// The new segment and its end.
    pub(crate) segment: (i64, u64),
    /// Whether this is the first group of moves, which brings the row of the segment.
    pub(crate) first: bool,
}

impl Order for Relocate {
    /// Whether the new segment is still there: all that an earlier group has moved into it may have
    /// died since, and its file with it. Then nothing is moved.
    type Answer = bool;
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<bool, StoreError> {
        let (segment, end) = self.segment;
        if self.first {
            turn.db.execute(
                "INSERT INTO segment (id, closed, end, live) VALUES (?, 1, ?, 0)",
                params![segment, i64::try_from(end).unwrap_or(i64::MAX)],
            )?;
        } else if !is_named(turn.db, segment)? {
            return Ok(false);
        }
        for Move { body, from, to } in &self.moves {
            let moved = turn
                .db
                .prepare_cached(
                    "UPDATE body SET segment = ?, at = ? WHERE id = ? AND segment = ? AND at = ?",
                )?
                .execute(params![
                    to.segment,
                    i64::try_from(to.at).unwrap_or(i64::MAX),
                    body,
                    from.segment,
                    i64::try_from(from.at).unwrap_or(i64::MAX),
                ])?;
            if moved > 0 {
                let length = i64::try_from(to.length).unwrap_or(i64::MAX);
                turn.effects.live(from.segment, -length);
                turn.effects.live(to.segment, length);
            }
        }
        Ok(true)
    }

    /// The first group of moves brings the row of the segment, whose file goes when it failed.
    fn reconcile(&self, db: &Connection) -> rusqlite::Result<Option<bool>> {
        let happened = self.first && is_named(db, self.segment.0)?;
        Ok(happened.then_some(true))
    }
}

/// Touches closed segments without a live body, so that the turn removes them.
pub(crate) struct DropDead {
    pub(crate) segments: Vec<i64>,
}

impl Order for DropDead {
    type Answer = ();
    type Error = StoreError;

    fn apply(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        for segment in &self.segments {
            turn.effects.live(*segment, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::database;

    /// After a failed commit: what the rows name must not be thrown away.
    #[test]
    fn the_row_of_the_segment_tells_whether_it_happened() {
        let folder = tempfile::tempdir().unwrap();
        let db = database::open(&folder.path().join("postrider.db")).unwrap();
        db.execute(
            "INSERT INTO segment (id, closed, end, live) VALUES (7, 1, 16, 0)",
            [],
        )
        .unwrap();
        for (id, first, happened) in [(7, true, Some(true)), (8, true, None), (7, false, None)] {
            let order = Relocate {
                moves: Vec::new(),
                segment: (id, 16),
                first,
            };
            assert_eq!(order.reconcile(&db), Ok(happened), "{id} {first}");
        }
        let order = Relocate {
            moves: Vec::new(),
            segment: (7, 16),
            first: true,
        };
        db.execute_batch("DROP TABLE segment").unwrap();
        assert!(order.reconcile(&db).is_err(), "unread is not undone");
    }
}
