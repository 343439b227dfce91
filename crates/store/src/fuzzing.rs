//! Doors for the fuzz targets into parsers that are private. Not part of the contract.

use std::io;
use std::sync::Arc;

use crate::body_log::{
    DRAFT_BODY_AT, Marks, OpenBody, Place, Record, Scan, Sheet, record_header, segment_header,
};
use crate::disk::DiskFile;
use crate::embedded::pieces;
use crate::spans::Spans;

/// Takes `bytes` for a segment file and a row that points into it: reading never panics, and only
/// a body with the right checksum behind the right header passes.
pub fn body_log_reader(bytes: &[u8]) {
    let Some((row, content)) = bytes.split_first_chunk::<20>() else {
        return;
    };
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|n| row[at + n]));
    // Small numbers reach inside the file; the others stay as they come.
    let place = Place {
        segment: 1,
        at: if row[7] < 128 {
            number(0) % 4096
        } else {
            number(0)
        },
        length: if row[15] < 128 {
            number(8) % 4096
        } else {
            number(8)
        },
        crc: u32::from_le_bytes(std::array::from_fn(|n| row[16 + n])),
    };
    let body = OpenBody {
        place,
        file: Arc::new(Content(content.to_vec())),
    };
    if let Ok(None) = body.verify(7) {
        let octets = body_of(content, place).expect("what passed is inside the file");
        assert_eq!(crc32c::crc32c(octets), place.crc);
    }
    // The same octets, properly recorded, must pass.
    let marks = Marks::of(number(0));
    let mut good = segment_header(1, marks).to_vec();
    let crc = crc32c::crc32c(content);
    good.extend(record_header(marks, 7, content.len() as u64, crc));
    good.extend(content);
    let place = Place {
        segment: 1,
        at: DRAFT_BODY_AT,
        length: content.len() as u64,
        crc,
    };
    let body = OpenBody {
        place,
        file: Arc::new(Content(good)),
    };
    assert!(matches!(body.verify(7), Ok(None)));
}

/// Takes `bytes` for what lies behind the last commit, and for an entry of the journal: both are read
/// without a panic, what is found ends inside the file, and an entry in good order is found.
pub fn journal(bytes: &[u8]) {
    pieces::walk(bytes);
    let tail = Content(bytes.to_vec());
    let marks = Marks::of(u64::from_le_bytes(*b"PRIDREC\x02"));
    let mut scan = Scan::new(&tail, marks, 0).expect("it has a length");
    while let Ok(Some(entry)) = scan.next() {
        pieces::walk(&entry);
    }
    assert!(scan.end() <= bytes.len() as u64);
    let mut sheet = Sheet::new(1, marks, 0, Vec::new());
    let crc = crc32c::crc32c(bytes);
    sheet.body(&Record {
        id: 7,
        octets: bytes,
        crc,
    });
    sheet.entry(bytes);
    let whole = Content(sheet.as_octets().to_vec());
    let mut scan = Scan::new(&whole, marks, 0).expect("it has a length");
    assert!(matches!(scan.next(), Ok(Some(entry)) if entry == bytes));
    assert!(matches!(scan.next(), Ok(None)));
}

/// Takes `bytes` for the list of spans in a row: what reads back writes the same octets.
pub fn spans(bytes: &[u8]) {
    if let Some(spans) = Spans::decode(bytes) {
        assert_eq!(spans.encode(), bytes);
    }
}

fn body_of(content: &[u8], place: Place) -> Option<&[u8]> {
    let at = usize::try_from(place.at).ok()?;
    content.get(at..at.checked_add(usize::try_from(place.length).ok()?)?)
}

/// A file that is only read.
struct Content(Vec<u8>);

impl DiskFile for Content {
    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        let end = at
            .checked_add(bytes.len())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let part = self.0.get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(part);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn cut(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}
