//! The headers inside a segment file.

use std::io;

use crate::disk::DiskFile;

/// Length of the header of a segment, in octets.
pub(crate) const SEGMENT_HEADER_LEN: usize = 32;
/// Length of the header of a record, in octets.
pub(crate) const RECORD_HEADER_LEN: usize = 32;

/// What the headers of records begin with. A file of the log may be written several times, each time
/// as another segment with marks of its own: what the segment before has left behind the end
/// does not count, whatever it looks like. Nobody outside can guess them, so no message can hold a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    body: [u8; 8],
    entry: [u8; 8],
}

impl Marks {
    /// Those of all segments of form 1, whose files were written once.
    const FIRST: Self = Self {
        body: *b"PRIDREC\x01",
        entry: *b"PRIDJNL\x01",
    };

    /// Those of one segment.
    pub(crate) fn of(life: u64) -> Self {
        Self {
            body: life.to_le_bytes(),
            entry: (!life).to_le_bytes(),
        }
    }

    /// Reads those of a segment; `None` when its header is damaged, or that of another one.
    pub(crate) fn read(file: &dyn DiskFile, segment: i64) -> io::Result<Option<Self>> {
        let mut magic = [0; 8];
        let mut header = [0; SEGMENT_HEADER_LEN];
        let read = |octets: &mut [u8]| match file.read_exact_at(octets, 0) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| true),
        };
        // One of form 1 may have nothing else.
        if read(&mut magic)? && magic == *FORM_1 {
            return Ok(Some(Self::FIRST));
        }
        let is_whole = read(&mut header)? && header[24..] == sum(&header);
        if !is_whole || &header[..8] != FORM_2 || header[8..16] != segment.to_le_bytes() {
            return Ok(None);
        }
        Ok(Some(Self {
            body: std::array::from_fn(|n| header[16 + n]),
            entry: std::array::from_fn(|n| !header[16 + n]),
        }))
    }
}

/// Magic and form, the number of the segment, what marks its records, and the checksum of that.
pub(crate) fn segment_header(segment: i64, marks: Marks) -> [u8; SEGMENT_HEADER_LEN] {
    let mut header = [0; SEGMENT_HEADER_LEN];
    header[..8].copy_from_slice(FORM_2);
    header[8..16].copy_from_slice(&segment.to_le_bytes());
    header[16..24].copy_from_slice(&marks.body);
    let sum = sum(&header);
    header[24..].copy_from_slice(&sum);
    header
}

fn sum(header: &[u8; SEGMENT_HEADER_LEN]) -> [u8; 8] {
    u64::from(crc32c::crc32c(&header[..24])).to_le_bytes()
}

/// The mark, the id, the length and checksum of the body, and the checksum of the header.
pub(crate) fn record_header(
    marks: Marks,
    id: i64,
    length: u64,
    crc: u32,
) -> [u8; RECORD_HEADER_LEN] {
    header(marks.body, id.cast_unsigned(), length, crc)
}

/// Reads a record header: the id, the length and the checksum of the body behind it.
pub(crate) fn parse_record_header(marks: Marks, header: &[u8]) -> Option<(i64, u64, u32)> {
    let (from, length, crc) = parse(marks.body, header)?;
    Some((from.cast_signed(), length, crc))
}

/// The same in front of a journal entry. In place of the id stands the offset at which the sheet
/// begins that the entry ends: what an earlier, longer sheet has left behind a later one does not
/// fit there.
pub(crate) fn entry_header(
    marks: Marks,
    from: u64,
    length: u64,
    crc: u32,
) -> [u8; RECORD_HEADER_LEN] {
    header(marks.entry, from, length, crc)
}

/// Reads the header of a journal entry: where its sheet begins, its length and checksum.
pub(crate) fn parse_entry_header(marks: Marks, header: &[u8]) -> Option<(u64, u64, u32)> {
    parse(marks.entry, header)
}

fn header(mark: [u8; 8], first: u64, length: u64, crc: u32) -> [u8; RECORD_HEADER_LEN] {
    let mut header = [0; RECORD_HEADER_LEN];
    header[..8].copy_from_slice(&mark);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    header[16..24].copy_from_slice(&length.to_le_bytes());
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    let own = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&own.to_le_bytes());
    header
}

fn parse(mark: [u8; 8], header: &[u8]) -> Option<(u64, u64, u32)> {
    let header: &[u8; RECORD_HEADER_LEN] = header.try_into().ok()?;
    let own = u32::from_le_bytes(header[28..].try_into().ok()?);
    if header[..8] != mark || own != crc32c::crc32c(&header[..28]) {
        return None;
    }
    Some((
        u64::from_le_bytes(header[8..16].try_into().ok()?),
        u64::from_le_bytes(header[16..24].try_into().ok()?),
        u32::from_le_bytes(header[24..28].try_into().ok()?),
    ))
}

const FORM_1: &[u8; 8] = b"PRIDSEG\x01";
const FORM_2: &[u8; 8] = b"PRIDSEG\x02";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::disk::double::MemoryDisk;

    #[test]
    fn headers_read_back_and_damage_shows() {
        let marks = Marks::of(0x0123_4567_89AB_CDEF);
        let header = record_header(marks, -7, 1 << 40, 0xDEAD_BEEF);
        let read = |header: &[u8]| parse_record_header(marks, header);
        assert_eq!(read(&header), Some((-7, 1 << 40, 0xDEAD_BEEF)));
        for n in 0..RECORD_HEADER_LEN {
            let mut damaged = header;
            damaged[n] ^= 0x10;
            assert_eq!(read(&damaged), None, "octet {n}");
        }
        assert_eq!(read(&header[1..]), None);
    }

    #[test]
    fn records_of_another_life_and_of_another_kind_do_not_count() {
        let (one, other) = (Marks::of(1), Marks::of(2));
        let body = record_header(one, 7, 5, 0);
        let entry = entry_header(one, 7, 5, 0);
        assert_eq!(parse_record_header(one, &body), Some((7, 5, 0)));
        assert_eq!(parse_entry_header(one, &entry), Some((7, 5, 0)));
        for (marks, header) in [(other, body), (one, entry), (Marks::FIRST, body)] {
            assert_eq!(parse_record_header(marks, &header), None);
        }
        for (marks, header) in [(other, entry), (one, body), (Marks::FIRST, entry)] {
            assert_eq!(parse_entry_header(marks, &header), None);
        }
    }

    #[test]
    fn marks_stand_in_the_header_of_the_segment() {
        let disk = MemoryDisk::default();
        let file = disk.create("a").unwrap();
        let read = || Marks::read(&*file, 9).unwrap();
        assert_eq!(read(), None);
        file.write_all_at(b"PRIDSEG\x01\x01\0\0\0\0\0\0\0", 0)
            .unwrap();
        assert_eq!(read(), Some(Marks::FIRST));
        let marks = Marks::of(u64::MAX - 1);
        let header = segment_header(9, marks);
        for n in 0..SEGMENT_HEADER_LEN {
            let mut damaged = header;
            damaged[n] ^= 0x10;
            file.write_all_at(&damaged, 0).unwrap();
            assert_eq!(read(), None, "octet {n}");
        }
        file.write_all_at(&header, 0).unwrap();
        assert_eq!(read(), Some(marks));
        assert_eq!(Marks::read(&*file, 8).unwrap(), None);
        file.cut(31).unwrap();
        assert_eq!(read(), None);
    }
}
