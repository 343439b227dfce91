//! The append-only log of message bodies: segments of bounded size, each in a file that may have been another
//! segment before (ADR 17).
//!
//! A segment starts with its own header; each record has a header with the id, the length and the
//! checksum of its body. Rows in the database say where a body lies and how far commits go; the
//! headers serve whoever must read the files without the database. Between the bodies lie entries of
//! the journal: what the index would hold if it had been committed with each turn.

use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::limits::TURN_OCTETS_MAX;

mod names;
mod reader;
mod record;
mod scan;
mod segment;
mod sheet;
mod spare;

pub(crate) use names::{is_spare, segment_name, segment_number};
pub(crate) use reader::{BodyReader, Known, OpenBody, PlaceOf, buffer};
#[cfg(test)]
pub(crate) use record::SEGMENT_HEADER_LEN;
pub(crate) use record::{Marks, RECORD_HEADER_LEN, record_header, segment_header};
pub(crate) use scan::Scan;
use segment::make_segment;
pub(crate) use segment::{DRAFT_BODY_AT, Numbers, OpenSegment, adopt_draft, create_segment};
pub(crate) use sheet::Sheet;
use spare::Spares;
pub(crate) use spare::{drop_all as drop_spares, remove_if_there};

/// Where a body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The segment.
    pub(crate) segment: i64,
    /// Offset of the first octet of the body.
    pub(crate) at: u64,
    /// Octets of the body.
    pub(crate) length: u64,
    /// CRC-32C of the body.
    pub(crate) crc: u32,
}

impl Place {
    /// Where the record ends in its segment.
    pub(crate) fn end(&self) -> u64 {
        self.at + self.length
    }
}

/// A body to append.
pub(crate) struct Record<'a> {
    pub(crate) id: i64,
    pub(crate) octets: &'a [u8],
    pub(crate) crc: u32,
}

/// Why an append did not become durable.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// Nothing was written that counts; the next append may succeed.
    Write(io::Error),
    /// The sync of a segment failed: what the file holds is unknown, it must not be used again.
    Sync { segment: i64, error: io::Error },
}

/// The end of the log, where the writer appends.
pub(crate) struct BodyLog {
    disk: Arc<dyn Disk>,
    numbers: Numbers,
    open: Option<OpenSegment>,
    /// A segment takes no new body beyond this size, in octets.
    segment_len: u64,
    spares: Spares,
    /// What the last sheet was written on.
    paper: Vec<u8>,
}

impl BodyLog {
    /// Goes on behind the end of `open`, or with a new segment.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        numbers: Numbers,
        open: Option<OpenSegment>,
        segment_len: u64,
    ) -> Self {
        Self {
            spares: Spares::new(Arc::clone(&disk), segment_len),
            disk,
            numbers,
            open,
            segment_len,
            paper: Vec::new(),
        }
    }

    /// Whether the next octets want a new segment.
    pub(crate) fn is_full(&self) -> bool {
        self.open
            .as_ref()
            .is_none_or(|open| open.end >= self.segment_len)
    }

    /// Whether a commit has named the open segment.
    pub(crate) fn is_named(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.named)
    }

    /// A commit has named the open segment.
    pub(crate) fn named(&mut self) {
        if let Some(open) = &mut self.open {
            open.named = true;
        }
    }

    /// Goes on with a new segment.
    pub(crate) fn turn_over(&mut self) -> Result<(), AppendError> {
        let new = make_segment(&*self.disk, &self.numbers, Some(&mut self.spares))?;
        if let Some(full) = self.open.replace(new) {
            full.give_back();
        }
        Ok(())
    }

    /// Writes no more into the open segment: nobody knows whether a commit has named it.
    pub(crate) fn leave(&mut self) {
        self.open = None;
    }

    /// Nothing more comes: gives back all room that was taken ahead.
    pub(crate) fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.give_back();
        }
        let _ = drop_spares(&*self.disk);
    }

    /// Appends bodies and forces them down: all of them or none. The end moves on even when a
    /// later commit fails, because that commit may yet turn out to have happened.
    pub(crate) fn append(&mut self, records: &[Record<'_>]) -> Result<Vec<Place>, AppendError> {
        if self.is_full() {
            self.turn_over()?;
        }
        let lens = records.iter().map(|record| record.octets.len());
        let mut sheet = self.sheet(lens.sum())?;
        let places = records.iter().map(|record| sheet.body(record)).collect();
        self.write(&sheet)?;
        Ok(places)
    }

    /// An empty sheet, to be written behind the end, with room for about so many octets.
    pub(crate) fn sheet(&mut self, octets: usize) -> Result<Sheet, AppendError> {
        let open = self.open.as_ref().ok_or_else(no_segment)?;
        let mut paper = std::mem::take(&mut self.paper);
        paper.reserve(octets);
        Ok(Sheet::new(open.id, open.marks, open.end, paper))
    }

    /// Keeps a sheet that is done with for the next one.
    pub(crate) fn used(&mut self, sheet: Sheet) {
        let paper = sheet.into_paper();
        if paper.capacity() <= PAPER_MAX {
            self.paper = paper;
        }
    }

    /// Writes a sheet behind the end and forces it down, or nothing of it counts.
    pub(crate) fn write(&mut self, sheet: &Sheet) -> Result<(), AppendError> {
        let open = self.open.as_mut().ok_or_else(no_segment)?;
        let octets = sheet.as_octets();
        open.reserve(octets.len() as u64);
        open.file
            .write_all_at(octets, open.end)
            .map_err(AppendError::Write)?;
        if let Err(error) = open.file.sync_data() {
            let segment = open.id;
            // As far as that goes: a start should not find what nobody was promised.
            open.give_back();
            self.open = None;
            self.spares.spoilt(segment);
            return Err(AppendError::Sync { segment, error });
        }
        open.end += octets.len() as u64;
        Ok(())
    }

    /// Takes the file of a segment away that no row names any more. Some are kept for new segments.
    pub(crate) fn retire(&mut self, segment: i64, readers: &BodyReader) -> io::Result<()> {
        self.spares.retire(segment, readers)
    }

    /// The segment that takes new bodies, and its end.
    pub(crate) fn open_end(&self) -> Option<(i64, u64)> {
        self.open.as_ref().map(|open| (open.id, open.end))
    }
}

fn no_segment() -> AppendError {
    AppendError::Write(io::Error::other("no open segment"))
}

/// A sheet with more room than this is not kept, in octets.
const PAPER_MAX: usize = 2 * TURN_OCTETS_MAX;

#[cfg(test)]
mod tests;
