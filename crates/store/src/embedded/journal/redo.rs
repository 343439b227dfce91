//! Statements and their values as octets.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::writes::Write;
use crate::embedded::effects::{Effects, Tally};

/// What has been written, in order. Each piece: the number of the statement, how many values, and
/// each value with its kind in front. Number 0 is what the turn adds to the books.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redo(Vec<u8>);

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

    /// Empties it; of its memory so many octets stay for what comes next.
    pub(crate) fn clear(&mut self, kept: usize) {
        self.0.clear();
        self.0.shrink_to(kept);
    }

    /// What has come behind the first `len` octets.
    pub(crate) fn since(&self, len: usize) -> Self {
        Self(self.0[len..].to_vec())
    }

    pub(crate) fn append(&mut self, later: &Self) {
        self.0.extend(&later.0);
    }

    /// Adds a statement with its values.
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

pub(super) const BOOKS: u16 = 0;
pub(super) const NULL: u8 = 0;
pub(super) const INTEGER: u8 = 1;
pub(super) const REAL: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const BLOB: u8 = 4;
