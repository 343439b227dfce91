//! The part that gives back the message, or its header. RFC 6522 §3, §4

use memchr::memmem;

use super::Report;

/// What of the message comes along.
#[derive(Clone, Copy, Debug)]
pub enum Returned<'a> {
    /// All of it. When it could not travel as it is, only its header does.
    Whole(&'a [u8]),
    /// Its header section.
    Header(&'a [u8]),
    /// Nothing of it. RFC 6522 §3: the third part may be missing.
    Nothing,
}

pub(super) fn part(report: &Report<'_>) -> Option<String> {
    match report.returned {
        Returned::Whole(octets) if travels(octets) => {
            let mut out = "Content-Type: message/rfc822\r\n\r\n".to_owned();
            out.push_str(&String::from_utf8_lossy(octets));
            Some(out)
        }
        Returned::Whole(octets) | Returned::Header(octets) => Some(header(octets)),
        Returned::Nothing => None,
    }
}

fn header(octets: &[u8]) -> String {
    let end = memmem::find(octets, b"\r\n\r\n").map_or(octets.len(), |at| at + 2);
    let octets = &octets[..end];
    if travels(octets) {
        let mut out = "Content-Type: text/rfc822-headers\r\n\r\n".to_owned();
        out.push_str(&String::from_utf8_lossy(octets));
        return out;
    }
    let mut out = "Content-Type: text/rfc822-headers\r\n\
                   Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        .to_owned();
    out.push_str(&quoted_printable(octets));
    out
}

/// Whether every server takes these octets as they are. RFC 5321 §4.5.3.1.6
fn travels(octets: &[u8]) -> bool {
    let mut start = 0;
    let lines = memmem::find_iter(octets, b"\r\n").chain([octets.len()]);
    let short = lines.into_iter().all(|end| {
        let fits = end.saturating_sub(start) <= LINE_LEN_MAX;
        start = end + 2;
        fits
    });
    let bare = octets.iter().filter(|b| matches!(b, b'\r' | b'\n')).count()
        != 2 * memmem::find_iter(octets, b"\r\n").count();
    short && !bare && octets.iter().all(|b| *b < 128 && *b != 0)
}

/// RFC 2045 §6.7
fn quoted_printable(octets: &[u8]) -> String {
    let mut out = String::new();
    let mut column = 0;
    let mut rest = octets;
    while let Some((octet, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(b"\r\n") {
            out.push_str("\r\n");
            column = 0;
            rest = tail;
            continue;
        }
        let at_end = tail.is_empty() || tail.starts_with(b"\r\n");
        let plain = matches!(octet, b'!'..=b'<' | b'>'..=b'~')
            || (matches!(octet, b' ' | b'\t') && !at_end);
        let width = if plain { 1 } else { 3 };
        if column + width > QUOTED_LEN_MAX {
            out.push_str("=\r\n");
            column = 0;
        }
        if plain {
            out.push(char::from(*octet));
        } else {
            out.push_str(&format!("={octet:02X}"));
        }
        column += width;
        rest = tail;
    }
    out
}

/// Octets of a line without CRLF.
const LINE_LEN_MAX: usize = 998;
/// Characters of a line in quoted-printable, without the `=` at its end.
const QUOTED_LEN_MAX: usize = 75;
