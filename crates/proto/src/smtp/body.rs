//! The body behind DATA: dots unstuffed, line ends watched, the end found.

use memchr::{memchr, memchr2};

use super::{BodyFacts, LineEnds};

/// Reads a body up to `<CRLF>.<CRLF>` and nowhere else.
///
/// A bare CR or LF never begins a line: behind it no dot is taken away and none ends the body.
/// Peers disagree on where such a line ends, and that disagreement lets a second message be
/// smuggled in.
// RFC 5321 §2.3.8, §4.1.1.4, §4.5.2
#[derive(Debug)]
pub(super) struct BodyReader {
    at: At,
    line_ends: LineEnds,
    /// Octets of the line so far, as handed over.
    line_len: u64,
    facts: BodyFacts,
    bare: bool,
    nul: bool,
    /// Off once nobody wants the octets any more.
    keeping: bool,
}

/// Where in a line the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// Behind a dot at the start of a line, which is not handed over yet.
    Dot,
    /// Behind that dot and a CR.
    DotCr,
    Inside,
    /// Behind a CR, which is not handed over yet.
    Cr,
}

/// What makes a body unacceptable, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    BareLineEnd,
    Nul,
    TooLarge,
}

impl BodyReader {
    pub(super) const fn new(line_ends: LineEnds) -> Self {
        Self {
            at: At::LineStart,
            line_ends,
            line_len: 0,
            facts: BodyFacts {
                size: 0,
                has_8bit: false,
                longest_line: 0,
            },
            bare: false,
            nul: false,
            keeping: true,
        }
    }

    /// What was seen up to here.
    pub(super) const fn facts(&self) -> BodyFacts {
        self.facts
    }

    /// From now on octets are looked at and dropped.
    pub(super) fn stop_keeping(&mut self) {
        self.keeping = false;
    }

    /// Why the body cannot be taken, as far as it is known.
    pub(super) fn fault(&self, size_max: u64) -> Option<Fault> {
        if self.bare && self.line_ends == LineEnds::Refuse {
            Some(Fault::BareLineEnd)
        } else if self.nul {
            Some(Fault::Nul)
        } else {
            (self.facts.size > size_max).then_some(Fault::TooLarge)
        }
    }

    /// How many octets may be fed so that at most `room` come out.
    pub(super) const fn fits(room: usize) -> usize {
        // A bare line end becomes two octets, and up to three were held back before.
        room.saturating_sub(4) / 2
    }

    /// Decodes `bytes` onto `out`. Tells how many it took, and whether the body ended there.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let (taken, ended) = self.decode(bytes, out);
        self.facts.has_8bit |= !bytes[..taken].is_ascii();
        self.nul |= memchr(0, &bytes[..taken]).is_some();
        (taken, ended)
    }

    fn decode(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let mut pos = 0;
        while let Some(&byte) = bytes.get(pos) {
            match (self.at, byte) {
                (At::LineStart, b'.') => {
                    self.at = At::Dot;
                    pos += 1;
                }
                (At::Dot, b'\r') => {
                    self.at = At::DotCr;
                    pos += 1;
                }
                (At::DotCr, b'\n') => return (pos + 1, true),
                (At::Cr, b'\n') => {
                    self.end_line(out);
                    self.at = At::LineStart;
                    pos += 1;
                }
                (At::Dot, b'\n') => {
                    // Not the end, and not a stuffed dot either: the dot is content.
                    self.put(b".", out);
                    self.at = At::Inside;
                }
                (At::DotCr, _) => {
                    self.put(b".", out);
                    self.bare_line_end(out);
                }
                (At::Cr, _) => self.bare_line_end(out),
                (At::LineStart | At::Dot, _) => self.at = At::Inside,
                (At::Inside, _) => pos = self.lines(bytes, pos, out),
            }
        }
        (pos, false)
    }

    /// Goes on from inside a line over as many lines as nothing is to be taken from, so that
    /// they are copied at once. Tells where it stopped.
    fn lines(&mut self, bytes: &[u8], start: usize, out: &mut Vec<u8>) -> usize {
        let mut line = start;
        loop {
            let Some(found) = memchr2(b'\r', b'\n', &bytes[line..]) else {
                self.line_len += octets(bytes.len() - line);
                self.copy(&bytes[start..], out);
                return bytes.len();
            };
            let end = line + found;
            self.line_len += octets(found);
            if bytes[end] == b'\n' {
                self.copy(&bytes[start..end], out);
                self.bare_line_end(out);
                return end + 1;
            }
            if bytes.get(end + 1) != Some(&b'\n') {
                self.copy(&bytes[start..end], out);
                self.at = At::Cr;
                return end + 1;
            }
            self.close_line();
            line = end + 2;
            if matches!(bytes.get(line), None | Some(b'.')) {
                self.copy(&bytes[start..line], out);
                self.at = At::LineStart;
                return line;
            }
        }
    }

    fn bare_line_end(&mut self, out: &mut Vec<u8>) {
        self.bare = true;
        self.end_line(out);
        self.at = At::Inside;
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        self.close_line();
        self.copy(b"\r\n", out);
    }

    fn close_line(&mut self) {
        self.facts.longest_line = self.facts.longest_line.max(self.line_len);
        self.line_len = 0;
    }

    fn put(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.line_len += octets(bytes.len());
        self.copy(bytes, out);
    }

    fn copy(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.facts.size = self.facts.size.saturating_add(octets(bytes.len()));
        if self.keeping {
            out.extend_from_slice(bytes);
        }
    }
}

fn octets(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes in pieces of `step`; the decoded body and what stands behind its end.
    fn decode(
        bytes: &[u8],
        step: usize,
        line_ends: LineEnds,
    ) -> (BodyReader, Vec<u8>, Option<usize>) {
        let mut reader = BodyReader::new(line_ends);
        let mut out = Vec::new();
        let mut at = 0;
        for piece in bytes.chunks(step) {
            let (taken, ended) = reader.feed(piece, &mut out);
            at += taken;
            if ended {
                return (reader, out, Some(at));
            }
            assert_eq!(taken, piece.len());
        }
        (reader, out, None)
    }

    /// `wire` must end where `|` stands, and give `expect`.
    fn check(wire: &str, expect: &str, repaired: bool) {
        let end = wire.find('|');
        let bytes = wire.replace('|', "");
        for step in 1..=bytes.len() {
            let (reader, out, ended) = decode(bytes.as_bytes(), step, LineEnds::Repair);
            assert_eq!(ended, end, "{wire:?} by {step}");
            assert_eq!(
                String::from_utf8(out).unwrap(),
                expect,
                "{wire:?} by {step}"
            );
            assert_eq!(reader.bare, repaired, "{wire:?} by {step}");
            assert_eq!(
                reader.facts.size,
                octets(expect.len()),
                "{wire:?} by {step}"
            );
            let longest = expect.split("\r\n").map(str::len).max().unwrap_or(0);
            assert_eq!(
                reader.facts.longest_line,
                octets(longest),
                "{wire:?} by {step}"
            );
            let (refusing, ..) = decode(bytes.as_bytes(), step, LineEnds::Refuse);
            assert_eq!(
                refusing.fault(u64::MAX).is_some(),
                repaired,
                "{wire:?} by {step}"
            );
        }
    }

    #[test]
    fn dots_are_unstuffed_and_end_the_body() {
        check(".\r\n|NOOP\r\n", "", false);
        check("\r\n.\r\n|", "\r\n", false);
        check("a\r\n.\r\n|", "a\r\n", false);
        check("..\r\n.a\r\n...\r\n.\r\n|", ".\r\na\r\n..\r\n", false);
        check(
            "a.\r\nb\r\nlonger\r\n.\r\n|.\r\n",
            "a.\r\nb\r\nlonger\r\n",
            false,
        );
    }

    #[test]
    fn a_bare_line_end_ends_nothing() {
        check("a\n.\n.\r\n.\r\n|", "a\r\n.\r\n.\r\n", true);
        check("a\n.\r\n.\r\n|", "a\r\n.\r\n", true);
        check("a\r\n.\n.\r\n.\r\n|", "a\r\n.\r\n.\r\n", true);
        check("a\r.\r\n.\r\n|", "a\r\n.\r\n", true);
        check("a\r.\rb\r\n.\r\n|", "a\r\n.\r\nb\r\n", true);
        check("a\r\n.\rb\r\n.\r\n|", "a\r\n.\r\nb\r\n", true);
        check("a\r\n.\r\r\n.\r\n|", "a\r\n.\r\n\r\n", true);
        check("a\r\r\n.\r\n|", "a\r\n\r\n", true);
        check("\n.\r\n.\r\n|", "\r\n.\r\n", true);
        check("a\r\n..\nb\r\n.\r\n|", "a\r\n.\r\nb\r\n", true);
    }

    #[test]
    fn octets_are_told() {
        let (reader, ..) = decode(b"a\xe9\r\n.\r\n", 2, LineEnds::Refuse);
        assert!(reader.facts.has_8bit);
        assert_eq!(reader.fault(4), None);
        assert_eq!(reader.fault(3), Some(Fault::TooLarge));
        let (reader, _, end) = decode(b"a\r\n\0.\r\n.\r\n", 2, LineEnds::Refuse);
        assert_eq!((reader.fault(99), end), (Some(Fault::Nul), Some(10)));
    }

    #[test]
    fn no_more_comes_out_than_there_is_room_for() {
        for head in ["", "\r\n.\r", "\r"] {
            let mut reader = BodyReader::new(LineEnds::Repair);
            reader.feed(head.as_bytes(), &mut Vec::new());
            let mut out = Vec::new();
            reader.feed(&vec![b'\n'; BodyReader::fits(100)], &mut out);
            assert!(out.len() <= 100);
        }
    }
}
