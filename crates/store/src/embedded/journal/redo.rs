//! Statements and their values as octets, and back.

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::writes::Write;
use crate::embedded::effects::{Effects, Tally};

/// What has been written, in order. Each piece: the number of the statement, how many values, and
/// each value with its kind in front. Number 0 is what the turn adds to the books.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redo(Vec<u8>);

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

impl Redo {
    pub(crate) fn as_octets(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    pub(crate) fn append(&mut self, later: &Self) {
        self.0.extend(&later.0);
    }

    /// Adds a statement that has just been carried out with these values.
    pub(crate) fn push(&mut self, write: Write, values: &[&dyn ToSql]) -> rusqlite::Result<()> {
        self.head(write.number(), values.len());
        for value in values {
            match value.to_sql()? {
                ToSqlOutput::Borrowed(value) => self.value(value),
                ToSqlOutput::Owned(value) => self.value((&value).into()),
                other => {
                    let unknown = format!("a value that the journal does not know: {other:?}");
                    return Err(rusqlite::Error::ToSqlConversionFailure(unknown.into()));
                }
            }
        }
        Ok(())
    }

    /// Adds what an order adds to the books, if anything.
    pub(crate) fn books(&mut self, effects: &Effects) {
        let tally = effects.tally;
        if tally == Tally::default() && effects.live.is_empty() {
            return;
        }
        let live = effects
            .live
            .iter()
            .flat_map(|(segment, by)| [*segment, *by]);
        let numbers: Vec<i64> = [
            tally.accepted,
            tally.delivered,
            tally.bounced,
            tally.suppressed,
            tally.removed,
        ]
        .into_iter()
        .chain(live)
        .collect();
        self.head(BOOKS, numbers.len());
        for number in numbers {
            self.value(ValueRef::Integer(number));
        }
    }

    fn head(&mut self, number: u16, values: usize) {
        self.0.extend(number.to_le_bytes());
        // No statement has so many, and no order touches so many segments.
        let values = u16::try_from(values).unwrap_or(u16::MAX);
        self.0.extend(values.to_le_bytes());
    }

    fn value(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.0.push(NULL),
            ValueRef::Integer(number) => {
                self.0.push(INTEGER);
                // Small ones of both signs become small: most are.
                self.number(number.cast_unsigned() << 1 ^ (number >> 63).cast_unsigned());
            }
            ValueRef::Real(number) => {
                self.0.push(REAL);
                self.0.extend(number.to_le_bytes());
            }
            ValueRef::Text(octets) => self.octets(TEXT, octets),
            ValueRef::Blob(octets) => self.octets(BLOB, octets),
        }
    }

    fn octets(&mut self, kind: u8, octets: &[u8]) {
        self.0.push(kind);
        self.number(octets.len() as u64);
        self.0.extend(octets);
    }

    /// Seven bits an octet, low ones first; the eighth says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }
}

/// Carries out again what `octets` say, inside the running transaction; adds to the books.
pub(crate) fn replay(
    db: &Connection,
    mut octets: &[u8],
    effects: &mut Effects,
) -> Result<(), ReplayError> {
    while !octets.is_empty() {
        let (number, values) = piece(&mut octets).ok_or(ReplayError::Unreadable)?;
        if number == BOOKS {
            effects.merge(&books(&values).ok_or(ReplayError::Unreadable)?);
            continue;
        }
        let write = Write::of(number).ok_or(ReplayError::Unreadable)?;
        let mut statement = db.prepare_cached(write.sql())?;
        if statement.parameter_count() != values.len() {
            return Err(ReplayError::Unreadable);
        }
        // Some of them answer with a row.
        let mut rows = statement.query(params_from_iter(values))?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

/// Reads an entry as far as it can be read, and does nothing with it.
pub(crate) fn walk(mut octets: &[u8]) {
    while let Some((number, values)) = piece(&mut octets) {
        if number == BOOKS {
            let _ = books(&values);
        }
    }
}

/// The numbers of the statements in an entry.
#[cfg(test)]
pub(crate) fn numbers(mut octets: &[u8]) -> Vec<u16> {
    std::iter::from_fn(|| piece(&mut octets))
        .map(|(number, _)| number)
        .collect()
}

/// Reads one piece off the front; `None` when there is no whole one.
fn piece(octets: &mut &[u8]) -> Option<(u16, Vec<Value>)> {
    let number = u16::from_le_bytes(take(octets)?);
    let count = u16::from_le_bytes(take(octets)?);
    // The count alone reserves nothing: it may be a lie.
    let mut values = Vec::new();
    for _ in 0..count {
        values.push(value(octets)?);
    }
    Some((number, values))
}

fn value(octets: &mut &[u8]) -> Option<Value> {
    let [kind] = take(octets)?;
    Some(match kind {
        NULL => Value::Null,
        INTEGER => {
            let folded = number(octets)?;
            Value::Integer((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
        }
        REAL => Value::Real(f64::from_le_bytes(take(octets)?)),
        TEXT => Value::Text(String::from_utf8(counted(octets)?.to_vec()).ok()?),
        BLOB => Value::Blob(counted(octets)?.to_vec()),
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

fn books(values: &[Value]) -> Option<Effects> {
    let numbers: Vec<i64> = values
        .iter()
        .map(|value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
        .collect::<Option<_>>()?;
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

const BOOKS: u16 = 0;
const NULL: u8 = 0;
const INTEGER: u8 = 1;
const REAL: u8 = 2;
const TEXT: u8 = 3;
const BLOB: u8 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::params;

    use super::*;

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
            let values = params![rusqlite::types::Null, number, real, text, blob];
            redo.push(Write::AddBody, values).unwrap();
            let mut octets = redo.as_octets();
            let (write, values) = piece(&mut octets).unwrap();
            prop_assert_eq!(write, Write::AddBody.number());
            prop_assert!(octets.is_empty());
            let expected = [Value::Null, number.into(), real.into(), text.into(), blob.into()];
            prop_assert_eq!(values, expected);
        }

        #[test]
        fn any_octets_are_read_without_a_panic(octets: Vec<u8>) {
            walk(&octets);
        }
    }
}
