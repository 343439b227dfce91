//! What a turn writes behind the end of the log.

use super::record::{Marks, RECORD_HEADER_LEN, entry_header, record_header};
use super::{Place, Record};

/// Records that go behind the end of a segment together.
pub(crate) struct Sheet {
    segment: i64,
    marks: Marks,
    at: u64,
    octets: Vec<u8>,
}

impl Sheet {
    /// An empty one, to be written at an offset of a segment. `paper` is emptied and written on.
    pub(crate) fn new(segment: i64, marks: Marks, at: u64, mut paper: Vec<u8>) -> Self {
        paper.clear();
        Self {
            segment,
            marks,
            at,
            octets: paper,
        }
    }

    /// The paper, to be written on again.
    pub(super) fn into_paper(self) -> Vec<u8> {
        self.octets
    }

    pub(crate) fn as_octets(&self) -> &[u8] {
        &self.octets
    }

    /// Where a body lies that is added now.
    pub(crate) fn place(&self, length: u64, crc: u32) -> Place {
        Place {
            segment: self.segment,
            at: self.at + (self.octets.len() + RECORD_HEADER_LEN) as u64,
            length,
            crc,
        }
    }

    /// Adds a body.
    pub(crate) fn body(&mut self, record: &Record<'_>) -> Place {
        let length = record.octets.len() as u64;
        let place = self.place(length, record.crc);
        self.octets
            .extend(record_header(self.marks, record.id, length, record.crc));
        self.octets.extend(record.octets);
        place
    }

    /// Adds the journal entry that ends the sheet.
    pub(crate) fn entry(&mut self, redo: &[u8]) {
        let crc = crc32c::crc32c(redo);
        self.octets
            .extend(entry_header(self.marks, self.at, redo.len() as u64, crc));
        self.octets.extend(redo);
    }

    /// The segment, and its end when the sheet has been written.
    pub(crate) fn end(&self) -> (i64, u64) {
        (self.segment, self.at + self.octets.len() as u64)
    }
}
