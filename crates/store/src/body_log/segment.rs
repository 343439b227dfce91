//! The files of the log: how they are made and given room.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::names::segment_name;
use super::record::{Marks, RECORD_HEADER_LEN, SEGMENT_HEADER_LEN, record_header, segment_header};
use super::spare::Spares;
use super::{AppendError, Place};
use crate::disk::{Disk, DiskFile};

/// Hands out segments, each with a number and marks of its own; shared by all who make some.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    next: Arc<AtomicI64>,
    secret: u64,
}

impl Numbers {
    /// `secret` is what nobody outside can guess: the marks come from it.
    pub(crate) fn starting_at(first: i64, secret: u64) -> Self {
        let next = Arc::new(AtomicI64::new(first));
        Self { next, secret }
    }

    fn take(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn marks(&self, segment: i64) -> Marks {
        if cfg!(planted = "one-life") {
            return Marks::of(0);
        }
        let seed = self.secret.wrapping_add(segment.cast_unsigned());
        Marks::of(SmallRng::seed_from_u64(seed).next_u64())
    }
}

/// The segment that takes new bodies.
pub(crate) struct OpenSegment {
    pub(crate) id: i64,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) marks: Marks,
    pub(crate) end: u64,
    /// Up to here the file has room.
    pub(crate) reserved: u64,
    /// A commit has named it: only then a start looks into it.
    pub(crate) named: bool,
}

impl OpenSegment {
    /// Takes room for what comes behind the end, for much more than is needed: a sync that does not
    /// make the file longer takes less time (ADR 16). Where there is none to be had the write will tell.
    pub(super) fn reserve(&mut self, octets: u64) {
        let needed = self.end + octets;
        if needed > self.reserved {
            self.reserved = needed + ROOM_AHEAD;
            let _ = self.file.reserve(self.reserved);
        }
    }

    /// Nothing more comes: gives back what was too much.
    pub(super) fn give_back(&self) {
        let _ = self.file.cut(self.end);
    }
}

/// Makes a segment whose name is durable before anything is written into it.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    numbers: &Numbers,
) -> Result<OpenSegment, AppendError> {
    make_segment(disk, numbers, None)
}

/// The same, of a spare file if there is one.
pub(super) fn make_segment(
    disk: &dyn Disk,
    numbers: &Numbers,
    spares: Option<&mut Spares>,
) -> Result<OpenSegment, AppendError> {
    let (id, file) = new_file(disk, numbers, spares).map_err(AppendError::Write)?;
    let marks = numbers.marks(id);
    let header = segment_header(id, marks);
    let made = file
        .write_all_at(&header, 0)
        .and_then(|()| file.sync_data())
        .and_then(|()| disk.sync_folder())
        .and_then(|()| file.length());
    match made {
        Ok(reserved) => Ok(OpenSegment {
            id,
            file,
            marks,
            end: header.len() as u64,
            reserved,
            named: false,
        }),
        Err(error) => {
            // Nothing refers to it yet; a leftover is removed at the next start.
            let _ = disk.remove(&segment_name(id));
            Err(AppendError::Write(error))
        }
    }
}

fn new_file(
    disk: &dyn Disk,
    numbers: &Numbers,
    spares: Option<&mut Spares>,
) -> io::Result<(i64, Arc<dyn DiskFile>)> {
    let mut id = numbers.take();
    if let Some(file) = spares.and_then(|spares| spares.take(&segment_name(id))) {
        return Ok((id, file));
    }
    loop {
        match disk.create(&segment_name(id)) {
            Ok(file) => return Ok((id, file)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => id = numbers.take(),
            Err(e) => return Err(e),
        }
    }
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
    let marks = numbers.marks(segment);
    let mut headers = segment_header(segment, marks).to_vec();
    headers.extend(record_header(marks, id, length, crc));
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
pub(super) const ROOM_AHEAD: u64 = 4 * 1024 * 1024;
/// Where the body starts in a draft file, and so in a segment of one body.
pub(crate) const DRAFT_BODY_AT: u64 = (SEGMENT_HEADER_LEN + RECORD_HEADER_LEN) as u64;
