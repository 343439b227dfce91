//! What octets of the journal say, and doing it again.

use std::ops::Range;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::redo::{BLOB, BOOKS, INTEGER, NULL, REAL, TEXT};
use super::writes::Write;
use crate::StoreError;
use crate::embedded::effects::{Effects, Tally};

/// Why octets of the journal could not be repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// They are none of ours, or a newer version has written them.
    #[error("an entry of the journal cannot be read")]
    Unreadable,
    /// The database refuses.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

impl From<ReplayError> for StoreError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Database(error) => error.into(),
            unreadable @ ReplayError::Unreadable => Self::Disk(unreadable.to_string()),
        }
    }
}

/// One piece of an entry.
pub(crate) enum Piece {
    /// A statement.
    Write(Write),
    /// What a turn adds to the books.
    Books(Effects),
}

/// Reads the pieces of an entry, in order, and gathers their values.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    values: Vec<ValueRef<'a>>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn of(octets: &'a [u8]) -> Self {
        Self {
            rest: octets,
            values: Vec::with_capacity(VALUES_USUAL),
        }
    }

    /// The next piece, and which of the gathered values are its own; the first piece that cannot be read
    /// is the last. Whoever lets go of values in between uses no such range from before.
    pub(crate) fn read(&mut self) -> Option<Result<(Piece, Range<usize>), ReplayError>> {
        if self.rest.is_empty() {
            return None;
        }
        let from = self.values.len();
        let piece = piece(&mut self.rest, &mut self.values).ok_or(ReplayError::Unreadable);
        if piece.is_err() {
            self.rest = &[];
        }
        Some(piece.map(|piece| (piece, from..self.values.len())))
    }

    /// Some of the values.
    pub(crate) fn values(&self, which: Range<usize>) -> &[ValueRef<'a>] {
        &self.values[which]
    }

    /// Lets go of the values that have been gathered.
    fn forget(&mut self) {
        self.values.clear();
    }
}

/// Carries out again what `octets` say, inside the running transaction; adds to the books.
pub(crate) fn replay(
    db: &Connection,
    octets: &[u8],
    effects: &mut Effects,
) -> Result<(), ReplayError> {
    let mut pieces = Pieces::of(octets);
    while let Some(piece) = pieces.read() {
        match piece? {
            (Piece::Write(write), values) => {
                carry_out(db, write.sql(), pieces.values(values), &[])?;
            }
            (Piece::Books(more), _) => effects.merge(&more),
        }
        pieces.forget();
    }
    Ok(())
}

/// Carries out a statement with values of the journal, and `more` behind them.
pub(crate) fn carry_out(
    db: &Connection,
    sql: &str,
    values: &[ValueRef<'_>],
    more: &[ValueRef<'_>],
) -> Result<(), ReplayError> {
    let mut statement = db.prepare_cached(sql)?;
    if statement.parameter_count() != values.len() + more.len() {
        return Err(ReplayError::Unreadable);
    }
    let values = values.iter().chain(more);
    let values = values.map(|value| ToSqlOutput::Borrowed(*value));
    // Some of them answer with a row.
    let mut rows = statement.query(params_from_iter(values))?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Reads an entry as far as it can be read, and does nothing with it.
pub(crate) fn walk(octets: &[u8]) {
    let mut pieces = Pieces::of(octets);
    while pieces.read().is_some() {
        pieces.forget();
    }
}

/// The numbers of the statements in an entry.
#[cfg(test)]
pub(crate) fn numbers(octets: &[u8]) -> Vec<u16> {
    let mut pieces = Pieces::of(octets);
    let mut numbers = Vec::new();
    while let Some(piece) = pieces.read() {
        if let Ok((Piece::Write(write), _)) = piece {
            numbers.push(write.number());
        }
    }
    numbers
}

/// Reads one piece off the front, and puts its values behind those that are there; `None` when there is
/// no whole one.
fn piece<'a>(octets: &mut &'a [u8], values: &mut Vec<ValueRef<'a>>) -> Option<Piece> {
    let number = u16::from_le_bytes(take(octets)?);
    let count = u16::from_le_bytes(take(octets)?);
    let from = values.len();
    // Nothing is reserved for the count: it may be a lie.
    for _ in 0..count {
        values.push(value(octets)?);
    }
    if number == BOOKS {
        return books(&values[from..]).map(Piece::Books);
    }
    Write::of(number).map(Piece::Write)
}

fn value<'a>(octets: &mut &'a [u8]) -> Option<ValueRef<'a>> {
    let [kind] = take(octets)?;
    Some(match kind {
        NULL => ValueRef::Null,
        INTEGER => {
            let folded = number(octets)?;
            ValueRef::Integer((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
        }
        REAL => ValueRef::Real(f64::from_le_bytes(take(octets)?)),
        TEXT => {
            let text = counted(octets)?;
            std::str::from_utf8(text).ok()?;
            ValueRef::Text(text)
        }
        BLOB => ValueRef::Blob(counted(octets)?),
        _ => return None,
    })
}

fn take<const LEN: usize>(octets: &mut &[u8]) -> Option<[u8; LEN]> {
    let (front, rest) = octets.split_first_chunk::<LEN>()?;
    *octets = rest;
    Some(*front)
}

fn number(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [octet] = take(octets)?;
        number |= u64::from(octet & 0x7F).checked_shl(shift)?;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}

fn counted<'a>(octets: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = number(octets)?;
    let (front, rest) = octets.split_at_checked(usize::try_from(len).ok()?)?;
    *octets = rest;
    Some(front)
}

fn books(values: &[ValueRef<'_>]) -> Option<Effects> {
    let number = |value: &ValueRef<'_>| value.as_i64().ok();
    let numbers: Vec<i64> = values.iter().map(number).collect::<Option<_>>()?;
    let ([accepted, delivered, bounced, suppressed, removed], live) =
        numbers.split_first_chunk::<5>()?;
    let mut effects = Effects {
        tally: Tally {
            accepted: *accepted,
            delivered: *delivered,
            bounced: *bounced,
            suppressed: *suppressed,
            removed: *removed,
        },
        ..Effects::default()
    };
    let (pairs, rest) = live.as_chunks::<2>();
    for [segment, by] in pairs {
        effects.live(*segment, *by);
    }
    rest.is_empty().then_some(effects)
}

/// As many values as the story of a message that is delivered at once has.
const VALUES_USUAL: usize = 96;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::params;
    use rusqlite::types::{Null, Value};

    use super::*;
    use crate::embedded::journal::redo::Redo;

    #[test]
    fn what_was_written_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let db = crate::embedded::database::open(&folder.path().join("postrider.db")).unwrap();
        let mut redo = Redo::default();
        let values = params!["ann@example.org", i64::MIN];
        redo.push(Write::AddMention, values).unwrap();
        let mut added = Effects::default();
        added.live(7, -300);
        added.tally.accepted = 2;
        redo.books(&added);
        redo.books(&Effects::default());
        let mut effects = Effects::default();
        replay(&db, redo.as_octets(), &mut effects).unwrap();
        assert_eq!((&effects.live, effects.tally), (&added.live, added.tally));
        let found: (String, i64) = db
            .query_row("SELECT address, item FROM mention", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(found, ("ann@example.org".to_owned(), i64::MIN));
        let cut = &redo.as_octets()[..redo.len() - 1];
        let refused = replay(&db, cut, &mut effects);
        assert!(matches!(refused, Err(ReplayError::Unreadable)));
    }

    proptest! {
        #[test]
        fn values_read_back(number: i64, real: f64, text: String, blob: Vec<u8>) {
            let mut redo = Redo::default();
            let values = params![Null, number, real, text, blob];
            redo.push(Write::AddBody, values).unwrap();
            let mut pieces = Pieces::of(redo.as_octets());
            let Some(Ok((Piece::Write(write), values))) = pieces.read() else {
                panic!("it cannot be read");
            };
            prop_assert_eq!(write, Write::AddBody);
            prop_assert!(pieces.read().is_none());
            let values = pieces.values(values);
            let expected = [Value::Null, number.into(), real.into(), text.into(), blob.into()];
            prop_assert_eq!(values, expected.each_ref().map(ValueRef::from));
        }

        #[test]
        fn any_octets_are_read_without_a_panic(octets: Vec<u8>) {
            walk(&octets);
        }
    }
}
