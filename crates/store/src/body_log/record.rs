//! The headers inside a segment file.

/// Length of the header of a segment, in octets.
pub(crate) const SEGMENT_HEADER_LEN: usize = 16;
/// Length of the header of a record, in octets.
pub(crate) const RECORD_HEADER_LEN: usize = 32;

/// Magic and form, then the number of the segment.
pub(crate) fn segment_header(segment: i64) -> [u8; SEGMENT_HEADER_LEN] {
    let mut header = [0; SEGMENT_HEADER_LEN];
    header[..8].copy_from_slice(b"PRIDSEG\x01");
    header[8..].copy_from_slice(&segment.to_le_bytes());
    header
}

/// Magic and form, the id, the length and checksum of the body, and the checksum of the header.
pub(crate) fn record_header(id: i64, length: u64, crc: u32) -> [u8; RECORD_HEADER_LEN] {
    header(BODY, id.cast_unsigned(), length, crc)
}

/// Reads a record header: the id, the length and the checksum of the body behind it.
pub(crate) fn parse_record_header(header: &[u8]) -> Option<(i64, u64, u32)> {
    let (from, length, crc) = parse(BODY, header)?;
    Some((from.cast_signed(), length, crc))
}

/// The same in front of a journal entry. In place of the id stands the offset at which the sheet
/// begins that the entry ends: what an earlier, longer sheet has left behind a later one does not
/// fit there.
pub(crate) fn entry_header(from: u64, length: u64, crc: u32) -> [u8; RECORD_HEADER_LEN] {
    header(ENTRY, from, length, crc)
}

/// Reads the header of a journal entry: where its sheet begins, its length and checksum.
pub(crate) fn parse_entry_header(header: &[u8]) -> Option<(u64, u64, u32)> {
    parse(ENTRY, header)
}

fn header(magic: &[u8; 8], first: u64, length: u64, crc: u32) -> [u8; RECORD_HEADER_LEN] {
    let mut header = [0; RECORD_HEADER_LEN];
    header[..8].copy_from_slice(magic);
    header[8..16].copy_from_slice(&first.to_le_bytes());
    header[16..24].copy_from_slice(&length.to_le_bytes());
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    let own = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&own.to_le_bytes());
    header
}

fn parse(magic: &[u8; 8], header: &[u8]) -> Option<(u64, u64, u32)> {
    let header: &[u8; RECORD_HEADER_LEN] = header.try_into().ok()?;
    let own = u32::from_le_bytes(header[28..].try_into().ok()?);
    if &header[..8] != magic || own != crc32c::crc32c(&header[..28]) {
        return None;
    }
    Some((
        u64::from_le_bytes(header[8..16].try_into().ok()?),
        u64::from_le_bytes(header[16..24].try_into().ok()?),
        u32::from_le_bytes(header[24..28].try_into().ok()?),
    ))
}

const BODY: &[u8; 8] = b"PRIDREC\x01";
const ENTRY: &[u8; 8] = b"PRIDJNL\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_read_back_and_damage_shows() {
        let header = record_header(-7, 1 << 40, 0xDEAD_BEEF);
        assert_eq!(
            parse_record_header(&header),
            Some((-7, 1 << 40, 0xDEAD_BEEF))
        );
        for n in 0..RECORD_HEADER_LEN {
            let mut damaged = header;
            damaged[n] ^= 0x10;
            assert_eq!(parse_record_header(&damaged), None, "octet {n}");
        }
        assert_eq!(parse_record_header(&header[1..]), None);
    }
}
