//! The append-only log of message bodies: segment files of bounded size.
//!
//! A segment starts with its own header; each record has a header with the id, the length and the
//! checksum of its body. Rows in the database say where a body lies and how far commits go; the
//! headers serve whoever must read the files without the database. Between the bodies lie entries of
//! the journal: what the index would hold if it had been committed with each turn.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::disk::{Disk, DiskFile};
use crate::limits::{SEGMENT_LEN_MAX, TURN_OCTETS_MAX};

mod reader;
mod record;
mod scan;

pub(crate) use reader::{BodyReader, Known, OpenBody, PlaceOf, buffer};
use record::entry_header;
pub(crate) use record::{RECORD_HEADER_LEN, SEGMENT_HEADER_LEN, record_header, segment_header};
pub(crate) use scan::Scan;

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

/// Hands out segment numbers; shared by all who make segments.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(Arc<AtomicI64>);

impl Numbers {
    pub(crate) fn starting_at(first: i64) -> Self {
        Self(Arc::new(AtomicI64::new(first)))
    }

    fn take(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The file name of a segment.
pub(crate) fn segment_name(segment: i64) -> String {
    format!("{segment:06}.seg")
}

/// The number of a segment file.
pub(crate) fn segment_number(name: &str) -> Option<i64> {
    name.strip_suffix(".seg")?
        .parse()
        .ok()
        .filter(|n| segment_name(*n) == name)
}

/// The end of the log, where the writer appends.
pub(crate) struct BodyLog {
    disk: Arc<dyn Disk>,
    numbers: Numbers,
    open: Option<OpenSegment>,
    /// What the last sheet was written on.
    paper: Vec<u8>,
}

/// The segment that takes new bodies.
pub(crate) struct OpenSegment {
    pub(crate) id: i64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) end: u64,
    /// Up to here the file has room.
    pub(crate) reserved: u64,
    /// A commit has named it: only then a start looks into it.
    pub(crate) named: bool,
}

impl OpenSegment {
    /// Takes room for what comes behind the end, for much more than is needed: a sync that does not
    /// make the file longer takes less time (ADR 16). Where there is none to be had the write will tell.
    fn reserve(&mut self, octets: u64) {
        let needed = self.end + octets;
        if needed > self.reserved {
            self.reserved = needed + ROOM_AHEAD;
            let _ = self.file.reserve(self.reserved);
        }
    }

    /// Nothing more comes: gives back what was too much.
    fn give_back(&self) {
        let _ = self.file.cut(self.end);
    }
}

impl BodyLog {
    /// Goes on behind the end of `open`, or with a new segment.
    pub(crate) fn new(disk: Arc<dyn Disk>, numbers: Numbers, open: Option<OpenSegment>) -> Self {
        Self {
            disk,
            numbers,
            open,
            paper: Vec::new(),
        }
    }

    /// Whether the next octets want a new segment.
    pub(crate) fn is_full(&self) -> bool {
        self.open
            .as_ref()
            .is_none_or(|open| open.end >= SEGMENT_LEN_MAX)
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
        let new = create_segment(&*self.disk, &self.numbers)?;
        if let Some(full) = self.open.replace(new) {
            full.give_back();
        }
        Ok(())
    }

    /// Writes no more into the open segment: nobody knows whether a commit has named it.
    pub(crate) fn leave(&mut self) {
        self.open = None;
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
        let open = self.open.as_ref();
        let (segment, at) = open
            .map(|open| (open.id, open.end))
            .ok_or_else(no_segment)?;
        let mut sheet = Sheet::new(segment, at);
        sheet.octets = std::mem::take(&mut self.paper);
        sheet.octets.reserve(octets);
        Ok(sheet)
    }

    /// Keeps a sheet that is done with for the next one.
    pub(crate) fn used(&mut self, sheet: Sheet) {
        if sheet.octets.capacity() <= PAPER_MAX {
            self.paper = sheet.octets;
            self.paper.clear();
        }
    }

    /// Writes a sheet behind the end and forces it down, or nothing of it counts.
    pub(crate) fn write(&mut self, sheet: &Sheet) -> Result<(), AppendError> {
        let open = self.open.as_mut().ok_or_else(no_segment)?;
        open.reserve(sheet.octets.len() as u64);
        open.file
            .write_all_at(&sheet.octets, open.end)
            .map_err(AppendError::Write)?;
        if let Err(error) = open.file.sync_data() {
            let segment = open.id;
            // As far as that goes: a start should not find what nobody was promised.
            open.give_back();
            self.open = None;
            return Err(AppendError::Sync { segment, error });
        }
        open.end += sheet.octets.len() as u64;
        Ok(())
    }

    /// The segment that takes new bodies, and its end.
    pub(crate) fn open_end(&self) -> Option<(i64, u64)> {
        self.open.as_ref().map(|open| (open.id, open.end))
    }
}

fn no_segment() -> AppendError {
    AppendError::Write(io::Error::other("no open segment"))
}

/// Records that go behind the end of a segment together.
pub(crate) struct Sheet {
    segment: i64,
    at: u64,
    octets: Vec<u8>,
}

impl Sheet {
    pub(crate) fn new(segment: i64, at: u64) -> Self {
        let octets = Vec::new();
        Self {
            segment,
            at,
            octets,
        }
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
            .extend(record_header(record.id, length, record.crc));
        self.octets.extend(record.octets);
        place
    }

    /// Adds the journal entry that ends the sheet.
    pub(crate) fn entry(&mut self, redo: &[u8]) {
        let crc = crc32c::crc32c(redo);
        self.octets
            .extend(entry_header(self.at, redo.len() as u64, crc));
        self.octets.extend(redo);
    }

    /// The segment, and its end when the sheet has been written.
    pub(crate) fn end(&self) -> (i64, u64) {
        (self.segment, self.at + self.octets.len() as u64)
    }
}

/// Makes a segment whose name is durable before anything is written into it.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    numbers: &Numbers,
) -> Result<OpenSegment, AppendError> {
    let (id, file) = loop {
        let id = numbers.take();
        match disk.create(&segment_name(id)) {
            Ok(file) => break (id, file),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(AppendError::Write(e)),
        }
    };
    let header = segment_header(id);
    let made = file
        .write_all_at(&header, 0)
        .and_then(|()| file.sync_data())
        .and_then(|()| disk.sync_folder());
    if let Err(error) = made {
        // Nothing refers to it yet; a leftover is removed at the next start.
        let _ = disk.remove(&segment_name(id));
        return Err(AppendError::Write(error));
    }
    Ok(OpenSegment {
        id,
        file,
        end: header.len() as u64,
        reserved: header.len() as u64,
        named: false,
    })
}

/// Turns a finished draft file into a segment of its own. Its headers are filled in, then it is
/// forced down, renamed, and the folder synced.
pub(crate) fn adopt_draft(
    disk: &dyn Disk,
    numbers: &Numbers,
    draft: (&str, &dyn DiskFile),
    id: i64,
    length: u64,
    crc: u32,
) -> io::Result<Place> {
    let (name, file) = draft;
    let segment = numbers.take();
    let mut headers = segment_header(segment).to_vec();
    headers.extend(record_header(id, length, crc));
    file.write_all_at(&headers, 0)?;
    file.sync_data()?;
    disk.rename(name, &segment_name(segment))?;
    disk.sync_folder().inspect_err(|_| {
        let _ = disk.remove(&segment_name(segment));
    })?;
    Ok(Place {
        segment,
        at: DRAFT_BODY_AT,
        length,
        crc,
    })
}

/// Room that is taken ahead of what is written, in octets.
const ROOM_AHEAD: u64 = 4 * 1024 * 1024;
/// A sheet with more room than this is not kept, in octets.
const PAPER_MAX: usize = 2 * TURN_OCTETS_MAX;
/// Where the body starts in a draft file, and so in a segment of one body.
pub(crate) const DRAFT_BODY_AT: u64 = (SEGMENT_HEADER_LEN + RECORD_HEADER_LEN) as u64;

#[cfg(test)]
mod tests;
