//! Walks through what lies behind the end that the last commit names.

use std::io;

use super::RECORD_HEADER_LEN;
use super::record::{Marks, parse_entry_header, parse_record_header};
use crate::disk::DiskFile;
use crate::limits::READ_CHUNK;

/// Goes from record to record and gives the journal entries, as long as everything is whole.
pub(crate) struct Scan<'a> {
    file: &'a dyn DiskFile,
    marks: Marks,
    len: u64,
    /// The end of the last entry given.
    end: u64,
    at: u64,
}

impl<'a> Scan<'a> {
    /// From `end` on.
    pub(crate) fn new(file: &'a dyn DiskFile, marks: Marks, end: u64) -> io::Result<Self> {
        Ok(Self {
            file,
            marks,
            len: file.length()?,
            end,
            at: end,
        })
    }

    /// Where the last entry ends that was given: what lies behind was promised to nobody.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next entry whose sheet is whole; `None` behind the last one.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(header) = self.read(self.at, RECORD_HEADER_LEN as u64)? {
            let content = self.at + RECORD_HEADER_LEN as u64;
            if let Some((_, length, crc)) = parse_record_header(self.marks, &header) {
                if !self.is_whole(content, length, crc)? {
                    return Ok(None);
                }
                self.at = content + length;
            } else if let Some((from, length, crc)) = parse_entry_header(self.marks, &header) {
                let whole = self.read(content, length)?;
                let whole = whole.filter(|entry| crc32c::crc32c(entry) == crc);
                let (Some(entry), true) = (whole, (self.end..=self.at).contains(&from)) else {
                    return Ok(None);
                };
                self.at = content + length;
                self.end = self.at;
                return Ok(Some(entry));
            } else {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Octets of the file; `None` when it ends before.
    fn read(&self, at: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
        if at.checked_add(length).is_none_or(|end| end > self.len) {
            return Ok(None);
        }
        let mut octets = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut octets, at)?;
        Ok(Some(octets))
    }

    fn is_whole(&self, mut at: u64, mut length: u64, crc: u32) -> io::Result<bool> {
        let mut found = 0;
        while length > 0 {
            let Some(piece) = self.read(at, length.min(READ_CHUNK as u64))? else {
                return Ok(false);
            };
            found = crc32c::crc32c_append(found, &piece);
            at += piece.len() as u64;
            length -= piece.len() as u64;
        }
        Ok(found == crc)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::body_log::{
        BodyLog, BodyReader, Numbers, Record, SEGMENT_HEADER_LEN, Sheet, Spares, make_segment,
        segment_name,
    };
    use crate::disk::Disk;
    use crate::disk::double::MemoryDisk;
    use crate::limits::SEGMENT_LEN_MAX;

    fn log(disk: &MemoryDisk) -> BodyLog {
        let mut log = BodyLog::new(
            Arc::new(disk.clone()),
            Numbers::starting_at(1, 0),
            None,
            SEGMENT_LEN_MAX,
        );
        log.turn_over().unwrap();
        log
    }

    fn sheet(log: &mut BodyLog, bodies: &[&str], entry: Option<&str>) -> Sheet {
        let mut sheet = log.sheet(0).unwrap();
        for body in bodies {
            let octets = body.as_bytes();
            let crc = crc32c::crc32c(octets);
            sheet.body(&Record { id: 7, octets, crc });
        }
        if let Some(entry) = entry {
            sheet.entry(entry.as_bytes());
        }
        sheet
    }

    fn entries(disk: &MemoryDisk) -> Vec<String> {
        let file = disk.open(&segment_name(1)).unwrap();
        let marks = Marks::read(&*file, 1).unwrap().unwrap();
        let mut scan = Scan::new(&*file, marks, SEGMENT_HEADER_LEN as u64).unwrap();
        let mut found = Vec::new();
        while let Some(entry) = scan.next().unwrap() {
            found.push(String::from_utf8(entry).unwrap());
        }
        found
    }

    #[test]
    fn entries_are_found_between_bodies() {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        let sheets: [(&[&str], Option<&str>); 4] = [
            (&["a", "b"], Some("one")),
            (&["nobody was promised this one"], None),
            (&[], Some("two")),
            (&["c"], Some("three")),
        ];
        for (bodies, entry) in sheets {
            let sheet = sheet(&mut log, bodies, entry);
            log.write(&sheet).unwrap();
        }
        assert_eq!(entries(&disk), ["one", "two", "three"]);
    }

    /// Blocks of one write reach the disk in any order: an entry counts only behind whole bodies.
    #[test]
    fn damage_ends_the_walk_before_the_entry_that_it_touches() {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        let first = sheet(&mut log, &["a"], Some("one"));
        log.write(&first).unwrap();
        let second = sheet(&mut log, &["body"], Some("two"));
        log.write(&second).unwrap();
        let file = disk.open(&segment_name(1)).unwrap();
        // Behind it is room only.
        let mut whole = vec![0; usize::try_from(second.end().1).unwrap()];
        file.read_exact_at(&mut whole, 0).unwrap();
        let from = usize::try_from(first.end().1).unwrap();
        for (at, octet) in whole.iter().enumerate().skip(from) {
            file.write_all_at(&[octet ^ 0x20], at as u64).unwrap();
            assert_eq!(entries(&disk), ["one"], "octet {at}");
            file.write_all_at(&[*octet], at as u64).unwrap();
        }
        for len in (from..whole.len()).rev() {
            file.cut(len as u64).unwrap();
            assert_eq!(entries(&disk), ["one"], "cut at {len}");
        }
    }

    /// The same file as another segment: what stands behind its end looks as good as new, and in the
    /// right place, but it is of the life before.
    #[test]
    fn what_an_earlier_life_has_left_does_not_count() {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        let write = |log: &mut BodyLog, entry: &str| {
            let sheet = sheet(log, &["body"], Some(entry));
            log.write(&sheet).unwrap();
        };
        for entry in ["old 1", "old 2", "old 3"] {
            write(&mut log, entry);
        }
        assert_eq!(entries(&disk), ["old 1", "old 2", "old 3"]);
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut spares = Spares::new(Arc::clone(&shared), 0);
        spares.retire(1, &BodyReader::new(shared)).unwrap();
        let numbers = Numbers::starting_at(1, 99);
        let again = make_segment(&disk, &numbers, Some(&mut spares)).unwrap();
        let disk_of_log = Arc::new(disk.clone());
        let mut log = BodyLog::new(disk_of_log, numbers, Some(again), SEGMENT_LEN_MAX);
        assert_eq!(entries(&disk), Vec::<String>::new());
        write(&mut log, "new 1");
        assert_eq!(entries(&disk), ["new 1"]);
        write(&mut log, "new 2");
        assert_eq!(entries(&disk), ["new 1", "new 2"]);
    }

    /// A write that failed half way may have left a whole entry where a shorter one has ended.
    #[test]
    fn what_an_earlier_write_has_left_does_not_count() {
        let disk = MemoryDisk::default();
        let mut log = log(&disk);
        let body = "x".repeat(100);
        let left = sheet(&mut log, &[&body], Some("left"));
        let file = disk.open(&segment_name(1)).unwrap();
        let at = log.open_end().unwrap().1;
        file.write_all_at(left.as_octets(), at).unwrap();
        // This one ends where the entry of the other begins.
        let written = sheet(&mut log, &[], Some(&"y".repeat(100)));
        log.write(&written).unwrap();
        assert_eq!(entries(&disk), ["y".repeat(100)]);
    }
}
