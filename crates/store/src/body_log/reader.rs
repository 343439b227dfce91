//! Reads bodies by id, through counted handles to their segments.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::io::Errno;

use super::{Place, RECORD_HEADER_LEN, segment_name};
use crate::body_log::record::{Marks, parse_record_header};
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
    handles: Arc<Mutex<Handles>>,
}

/// The handles to segments.
#[derive(Default)]
struct Handles {
    /// Kept open; most recently used last.
    open: Vec<(i64, Arc<dyn DiskFile>)>,
    /// Not kept any more, while somebody may still read through them.
    lent: Vec<(i64, Weak<dyn DiskFile>)>,
}

impl Handles {
    /// Keeps the `n`th no longer.
    fn let_go(&mut self, n: usize) {
        self.lent.retain(|(_, file)| file.strong_count() > 0);
        let (segment, file) = self.open.remove(n);
        if Arc::strong_count(&file) > 1 {
            self.lent.push((segment, Arc::downgrade(&file)));
        }
    }

    fn position(&self, segment: i64) -> Option<usize> {
        self.open.iter().position(|(id, _)| *id == segment)
    }
}

/// A body whose octets can be read however long it takes: the handle keeps the file.
pub(crate) struct OpenBody {
    pub(crate) place: Place,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl BodyReader {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            handles: Arc::default(),
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

    /// Forgets a segment that is removed; answers whether nobody reads it any more.
    pub(crate) fn forget(&self, segment: i64) -> bool {
        let mut handles = self.handles();
        if let Some(n) = handles.position(segment) {
            handles.let_go(n);
        }
        let read =
            |(id, file): &(i64, Weak<dyn DiskFile>)| *id == segment && file.strong_count() > 0;
        !handles.lent.iter().any(read)
    }

    fn handles(&self) -> MutexGuard<'_, Handles> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length of the file of a segment, as its name leads to it now.
    pub(crate) fn length_of(&self, segment: i64) -> io::Result<u64> {
        self.disk.open(&segment_name(segment))?.length()
    }

    fn segment(&self, segment: i64) -> io::Result<Arc<dyn DiskFile>> {
        let mut handles = self.handles();
        if let Some(n) = handles.position(segment) {
            let found = handles.open.remove(n);
            let file = Arc::clone(&found.1);
            handles.open.push(found);
            return Ok(file);
        }
        let mut found = self.disk.open(&segment_name(segment));
        if found.as_ref().is_err_and(is_shortage) {
            // Those that are kept open are the first to give way.
            while !handles.open.is_empty() {
                handles.let_go(0);
            }
            found = self.disk.open(&segment_name(segment));
        }
        let file = found?;
        if handles.open.len() >= OPEN_SEGMENTS_MAX {
            handles.let_go(0);
        }
        handles.open.push((segment, Arc::clone(&file)));
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
        self.header_fault(body)
    }

    /// What is wrong with the headers in front of it, if they do not say the same as the row that led here.
    fn header_fault(&self, body: i64) -> io::Result<Option<&'static str>> {
        let wrong = Some("the header of its record is wrong");
        let Some(at) = self.place.at.checked_sub(RECORD_HEADER_LEN as u64) else {
            return Ok(wrong);
        };
        let Some(marks) = Marks::read(&*self.file, self.place.segment)? else {
            return Ok(Some(
                "its octets are whole, but the header of its segment is wrong",
            ));
        };
        let mut header = [0; RECORD_HEADER_LEN];
        self.file.read_exact_at(&mut header, at)?;
        let expected = Some((body, self.place.length, self.place.crc));
        let fits = parse_record_header(marks, &header) == expected;
        Ok(if fits { None } else { wrong })
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
    use crate::body_log::{BodyLog, Numbers, Record, create_segment};
    use crate::disk::double::MemoryDisk;
    use crate::limits::SEGMENT_LEN_MAX;

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
        let mut log = BodyLog::new(
            Arc::clone(&shared),
            Numbers::starting_at(5, 0),
            None,
            SEGMENT_LEN_MAX,
        );
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
        assert_eq!(body.header_fault(7).unwrap(), None);
        assert!(body.header_fault(8).unwrap().is_some());
        assert!(reader.open(&Moved(Cell::new(None), gone), 7).is_err());
    }

    /// Handles give way to others while somebody still reads through them.
    #[test]
    fn a_handle_that_has_given_way_is_still_known() {
        let disk = MemoryDisk::default();
        let numbers = Numbers::starting_at(1, 0);
        for _ in 0..=OPEN_SEGMENTS_MAX {
            create_segment(&disk, &numbers).unwrap();
        }
        let reader = BodyReader::new(Arc::new(disk));
        let first = reader.segment(1).unwrap();
        for segment in 2..=i64::try_from(OPEN_SEGMENTS_MAX).unwrap() + 1 {
            reader.segment(segment).unwrap();
        }
        assert!(reader.handles().position(1).is_none());
        let again = reader.segment(1).unwrap();
        drop(first);
        assert!(!reader.forget(1));
        drop(again);
        assert!(reader.forget(1));
        assert!(reader.forget(2));
    }

    #[test]
    fn a_removed_segment_stays_readable_for_whoever_has_it_open() {
        let disk = MemoryDisk::default();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut log = BodyLog::new(
            Arc::clone(&shared),
            Numbers::starting_at(5, 0),
            None,
            SEGMENT_LEN_MAX,
        );
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
        assert!(!reader.forget(place.segment));
        disk.remove(&segment_name(place.segment)).unwrap();
        let mut octets = [0; 4];
        body.file.read_exact_at(&mut octets, place.at).unwrap();
        assert_eq!(&octets, b"body");
        drop(body);
        assert!(reader.forget(place.segment));
    }
}
