//! The body on its way out: dots are doubled, and nothing else is changed. RFC 5321 §4.5.2

use memchr::memchr2;

/// Writes a body piece by piece.
#[derive(Debug)]
pub(super) struct Stuffing {
    /// The octet before the next one; a line end before the first.
    last: Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    LineEnd,
    Cr,
    Other,
}

/// A CR or LF that is not half of a CRLF.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BareLineEnd;

impl Stuffing {
    pub(super) fn new() -> Self {
        Self {
            last: Last::LineEnd,
        }
    }

    /// Appends a piece as it goes over the wire: whole runs of lines, up to where a dot comes in between.
    // RFC 5321 §2.3.8: a bare CR or LF must not be sent.
    pub(super) fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), BareLineEnd> {
        let (mut at, mut copied) = (0, 0);
        while let Some(&octet) = piece.get(at) {
            match (self.last, octet) {
                (Last::Cr, b'\n') => {
                    self.last = Last::LineEnd;
                    at += 1;
                    continue;
                }
                (Last::Cr, _) => return Err(BareLineEnd),
                (Last::LineEnd, b'.') => {
                    out.extend_from_slice(&piece[copied..at]);
                    out.push(b'.');
                    copied = at;
                }
                _ => {}
            }
            let rest = &piece[at..];
            let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            if end > 0 {
                self.last = Last::Other;
            }
            at += end;
            match piece.get(at) {
                None => break,
                Some(b'\n') => return Err(BareLineEnd),
                Some(_) => {
                    self.last = Last::Cr;
                    at += 1;
                }
            }
        }
        out.extend_from_slice(&piece[copied..]);
        Ok(())
    }

    /// Appends the end. A last line without its end gets one. RFC 5321 §4.1.1.4
    pub(super) fn finish(&self, out: &mut Vec<u8>) -> Result<(), BareLineEnd> {
        match self.last {
            Last::Cr => return Err(BareLineEnd),
            Last::Other => out.extend_from_slice(b"\r\n"),
            Last::LineEnd => {}
        }
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

/// What goes over the wire for a body, or an error.
#[cfg(test)]
fn stuffed(pieces: &[&[u8]]) -> Result<Vec<u8>, BareLineEnd> {
    let mut stuffing = Stuffing::new();
    let mut out = Vec::new();
    for piece in pieces {
        stuffing.push(piece, &mut out)?;
    }
    stuffing.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, wire: Option<&str>) {
        let got = stuffed(&[body.as_bytes()]).ok();
        let got = got.map(|octets| String::from_utf8(octets).unwrap());
        assert_eq!(got.as_deref(), wire, "{body:?}");
    }

    #[test]
    fn dots_at_the_start_of_a_line_are_doubled() {
        check("a\r\n", Some("a\r\n.\r\n"));
        check("", Some(".\r\n"));
        check(".\r\n", Some("..\r\n.\r\n"));
        check("..a.\r\n.b\r\n", Some("...a.\r\n..b\r\n.\r\n"));
        check("\r\n.\r\n", Some("\r\n..\r\n.\r\n"));
        check(
            "a\r\n.\r\n.b\r\nc.\r\n",
            Some("a\r\n..\r\n..b\r\nc.\r\n.\r\n"),
        );
    }

    #[test]
    fn a_last_line_gets_its_end() {
        check("a", Some("a\r\n.\r\n"));
        check(".", Some("..\r\n.\r\n"));
    }

    #[test]
    fn line_ends_of_another_kind_are_not_sent() {
        for body in ["a\nb\r\n", "a\rb\r\n", "a\r", "\n", "\r\r\n", "a\r\n\n"] {
            check(body, None);
        }
    }

    proptest! {
        #[test]
        fn pieces_change_nothing(body in "[.a\r\n]{0,40}", cut in 0usize..40) {
            let body = body.as_bytes();
            let cut = cut.min(body.len());
            prop_assert_eq!(stuffed(&[body]), stuffed(&[&body[..cut], &body[cut..]]));
        }

        #[test]
        fn a_server_gets_back_what_went_in(lines in proptest::collection::vec("[.a]{0,5}", 0..10)) {
            let body: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let wire = String::from_utf8(stuffed(&[body.as_bytes()]).unwrap()).unwrap();
            let inner = wire.strip_suffix(".\r\n").unwrap();
            let back: String = inner
                .split_inclusive("\r\n")
                .map(|line| line.strip_prefix('.').unwrap_or(line))
                .collect();
            prop_assert_eq!(back, body);
            prop_assert!(!inner.split("\r\n").any(|line| line == "."));
        }
    }
}
