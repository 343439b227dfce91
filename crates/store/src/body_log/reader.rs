//! Reads bodies by id, through counted handles to their segments.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::{Place, RECORD_HEADER_LEN, segment_name};
use crate::body_log::record::parse_record_header;
use crate::disk::{Disk, DiskFile};
use crate::limits::READ_CHUNK;

/// Says where a body lies now; compaction moves them.
pub(crate) trait PlaceOf {
    /// `None`: nothing refers to the body any more.
    fn place_of(&self, body: i64) -> io::Result<Option<Place>>;
}

/// A place that is known already.
pub(crate) struct Known(pub(crate) Place);

impl PlaceOf for Known {
    fn place_of(&self, _: i64) -> io::Result<Option<Place>> {
        Ok(Some(self.0))
    }
}

/// Opens segments, and keeps some open.
#[derive(Clone)]
pub(crate) struct BodyReader {
    disk: Arc<dyn Disk>,
    /// Most recently used last.
    open: Arc<Mutex<Vec<Handle>>>,
}

/// An open segment.
type Handle = (i64, Arc<dyn DiskFile>);

/// A body whose octets can be read however long it takes: the handle keeps the file.
pub(crate) struct OpenBody {
    pub(crate) place: Place,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl BodyReader {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            open: Arc::default(),
        }
    }

    /// Opens a body. A segment that has gone means that the body has moved: look up again.
    pub(crate) fn open(&self, places: &impl PlaceOf, body: i64) -> io::Result<Option<OpenBody>> {
        for _ in 0..LOOK_UPS_MAX {
            let Some(place) = places.place_of(body)? else {
                return Ok(None);
            };
            match self.segment(place.segment) {
                Ok(file) => return Ok(Some(OpenBody { place, file })),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the segment file of this body is missing",
        ))
    }

    /// Forgets a segment that is about to be removed.
    pub(crate) fn forget(&self, segment: i64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(id, _)| *id != segment);
    }

    /// The length of the file of a segment, as its name leads to it now.
    pub(crate) fn length_of(&self, segment: i64) -> io::Result<u64> {
        self.disk.open(&segment_name(segment))?.length()
    }

    fn segment(&self, segment: i64) -> io::Result<Arc<dyn DiskFile>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(id, _)| *id == segment) {
            let found = open.remove(at);
            let file = Arc::clone(&found.1);
            open.push(found);
            return Ok(file);
        }
        let mut found = self.disk.open(&segment_name(segment));
        if found.as_ref().is_err_and(is_shortage) {
            // Those that are kept open are the first to give way.
            open.clear();
            found = self.disk.open(&segment_name(segment));
        }
        let file = found?;
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.remove(0);
        }
        open.push((segment, Arc::clone(&file)));
        Ok(file)
    }
}

/// No descriptor is left, for us or for the machine.
fn is_shortage(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

impl OpenBody {
    /// Reads all of the body; answers what is wrong with it.
    pub(crate) fn verify(&self, body: i64) -> io::Result<Option<&'static str>> {
        let (mut done, mut crc) = (0, 0);
        let mut chunk = buffer(self.place.length);
        while done < self.place.length {
            let left = usize::try_from(self.place.length - done).unwrap_or(READ_CHUNK);
            let take = left.min(chunk.len());
            let piece = &mut chunk[..take];
            self.file
                .read_exact_at(piece, self.place.at.saturating_add(done))?;
            crc = crc32c::crc32c_append(crc, piece);
            done += piece.len() as u64;
        }
        if crc != self.place.crc {
            return Ok(Some("its checksum is wrong"));
        }
        Ok((!self.header_fits(body)?).then_some("the header of its record is wrong"))
    }

    /// Whether the record's own header says the same as the row that led here.
    pub(crate) fn header_fits(&self, body: i64) -> io::Result<bool> {
        let Some(at) = self.place.at.checked_sub(RECORD_HEADER_LEN as u64) else {
            return Ok(false);
        };
        let mut header = [0; RECORD_HEADER_LEN];
        self.file.read_exact_at(&mut header, at)?;
        Ok(parse_record_header(&header) == Some((body, self.place.length, self.place.crc)))
    }
}

const LOOK_UPS_MAX: usize = 3;
const OPEN_SEGMENTS_MAX: usize = 64;

/// What so many octets are read through, piece by piece: no longer than they are, as most bodies are
/// short.
pub(crate) fn buffer(octets: u64) -> Vec<u8> {
    vec![
        0;
        usize::try_from(octets)
            .unwrap_or(READ_CHUNK)
            .min(READ_CHUNK)
    ]
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::body_log::{BodyLog, Numbers, Record};
    use crate::disk::double::MemoryDisk;

    /// Answers an old place first, then the new one.
    struct Moved(Cell<Option<Place>>, Place);

    impl PlaceOf for Moved {
        fn place_of(&self, _: i64) -> io::Result<Option<Place>> {
            Ok(Some(self.0.take().unwrap_or(self.1)))
        }
    }

    #[test]
    fn a_body_that_moved_is_looked_up_again() {
        let disk = MemoryDisk::default();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut log = BodyLog::new(Arc::clone(&shared), Numbers::starting_at(5), None);
        let record = Record {
            id: 7,
            octets: b"body",
            crc: crc32c::crc32c(b"body"),
        };
        let new = log.append(&[record]).unwrap()[0];
        let reader = BodyReader::new(shared);
        let gone = Place { segment: 1, ..new };
        let body = reader
            .open(&Moved(Cell::new(Some(gone)), new), 7)
            .unwrap()
            .unwrap();
        assert!(body.header_fits(7).unwrap() && !body.header_fits(8).unwrap());
        assert!(reader.open(&Moved(Cell::new(None), gone), 7).is_err());
    }

    #[test]
    fn a_removed_segment_stays_readable_for_whoever_has_it_open() {
        let disk = MemoryDisk::default();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut log = BodyLog::new(Arc::clone(&shared), Numbers::starting_at(5), None);
        let record = Record {
            id: 7,
            octets: b"body",
            crc: crc32c::crc32c(b"body"),
        };
        let place = log.append(&[record]).unwrap()[0];
        let reader = BodyReader::new(shared);
        let body = reader
            .open(&Moved(Cell::new(None), place), 7)
            .unwrap()
            .unwrap();
        reader.forget(place.segment);
        disk.remove(&segment_name(place.segment)).unwrap();
        let mut octets = [0; 4];
        body.file.read_exact_at(&mut octets, place.at).unwrap();
        assert_eq!(&octets, b"body");
    }
}
