//! Command lines out of a stream of octets.

use memchr::memchr2;

use super::extensions;
use super::limits::COMMAND_LINE_LEN_MAX;

/// Gathers one command line. Holds memory only while a line is half there.
///
/// A line ends in CRLF and nowhere else; what stands behind a bare CR or LF is never looked at.
// RFC 5321 §2.3.8
#[derive(Debug, Default)]
pub(super) struct LineReader {
    part: Vec<u8>,
    cr: bool,
    too_long: bool,
}

/// What came of some octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// No end yet.
    Part,
    /// A line, without its CRLF.
    Whole(Vec<u8>),
    /// A line over the limit came to its end; its content is gone.
    TooLong,
    /// A CR without LF, or an LF without CR.
    Bare(&'static str),
}

impl LineReader {
    /// Whether nothing of a line is there yet.
    pub(super) fn is_empty(&self) -> bool {
        self.part.is_empty() && !self.cr && !self.too_long
    }

    /// Takes octets up to the end of a line; tells how many.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Line) {
        let mut at = 0;
        if !self.cr {
            let Some(end) = memchr2(b'\r', b'\n', bytes) else {
                self.keep(bytes);
                return (bytes.len(), Line::Part);
            };
            self.keep(&bytes[..end]);
            at = end + 1;
            if bytes[end] == b'\n' {
                return (at, Line::Bare("LF"));
            }
            self.cr = true;
        }
        match bytes.get(at) {
            None => (at, Line::Part),
            Some(b'\n') => {
                let line = std::mem::take(self);
                let too_long = line.too_long;
                (
                    at + 1,
                    if too_long {
                        Line::TooLong
                    } else {
                        Line::Whole(line.part)
                    },
                )
            }
            Some(_) => (at + 1, Line::Bare("CR")),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.part.len() + bytes.len() + CRLF_LEN > line_len_max() {
            self.too_long = true;
            self.part = Vec::new();
        }
        if !self.too_long {
            self.part.extend_from_slice(bytes);
        }
    }
}

/// Octets with CRLF. RFC 5321 §4.5.3.1.4: extensions make room for their parameters
fn line_len_max() -> usize {
    COMMAND_LINE_LEN_MAX + extensions::line_len_extra()
}

const CRLF_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// What one feeding of all, and what octet by octet, must both give.
    fn lines(bytes: &[u8]) -> Vec<Line> {
        let run = |step: usize| {
            let mut reader = LineReader::default();
            let mut found = Vec::new();
            let mut at = 0;
            while at < bytes.len() && !matches!(found.last(), Some(Line::Bare(_))) {
                let end = bytes.len().min(at.saturating_add(step));
                let (taken, line) = reader.feed(&bytes[at..end]);
                at += taken;
                if line != Line::Part {
                    found.push(line);
                }
            }
            found
        };
        let (whole, octets) = (run(usize::MAX), run(1));
        assert_eq!(whole, octets);
        whole
    }

    #[test]
    fn lines_end_in_crlf_only() {
        let whole = |text: &str| Line::Whole(text.into());
        assert_eq!(lines(b"NOOP\r\nQUIT\r\n"), [whole("NOOP"), whole("QUIT")]);
        assert_eq!(lines(b"\r\n"), [whole("")]);
        assert_eq!(lines(b"NOOP"), []);
        assert_eq!(lines(b"NOOP\nQUIT\r\n"), [Line::Bare("LF")]);
        assert_eq!(lines(b"NOOP\rQUIT\r\n"), [Line::Bare("CR")]);
        assert_eq!(lines(b"NOOP\r\r\n"), [Line::Bare("CR")]);
    }

    #[test]
    fn a_line_too_long_is_skipped_whole() {
        let line = |len: usize| [&vec![b'x'; len - 2][..], b"\r\nQUIT\r\n"].concat();
        let quit = Line::Whole(b"QUIT".to_vec());
        let max = line_len_max();
        assert_eq!(lines(&line(max + 1)), [Line::TooLong, quit]);
        assert!(matches!(&lines(&line(max))[0], Line::Whole(text) if text.len() == max - 2));
    }
}
