//! Replies of a server, as a client reads them. RFC 5321 §4.2

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use mailtypes::EnhancedCode;
use memchr::memchr;

use crate::smtp::limits::{
    SERVER_REPLY_LINE_LEN_MAX, SERVER_REPLY_LINES_KEPT, SERVER_REPLY_LINES_MAX,
    SERVER_REPLY_TEXT_KEPT,
};

/// A reply of a server: bounded, and printable whatever the server sent. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Arc<[String]>,
}

impl ServerReply {
    /// The three digits: 200 to 599.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, when there is one and it is of the same class. RFC 2034 §4
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text line by line, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// 2yz or 3yz.
    pub const fn is_yes(&self) -> bool {
        self.code < 400
    }
}

impl fmt::Display for ServerReply {
    /// All on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        if let Some(enhanced) = self.enhanced {
            f.write_str(" ")?;
            enhanced.fmt(f)?;
        }
        for line in self.lines().filter(|line| !line.is_empty()) {
            f.write_str(" ")?;
            f.write_str(line)?;
        }
        Ok(())
    }
}

impl FromStr for ServerReply {
    type Err = String;

    /// One whole reply; its last line may lack the line end.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = format!("{}\r\n", text.trim_end_matches(['\r', '\n']));
        match ReplyReader::default().feed(text.as_bytes()) {
            (len, Some(reply)) if len == text.len() => reply,
            _ => Err(format!("`{}` is not one reply", text.trim_end())),
        }
    }
}

/// Gathers one reply out of octets.
#[derive(Debug, Default)]
pub(super) struct ReplyReader {
    line: Vec<u8>,
    reply: Option<Begun>,
    lines: usize,
    /// Octets of text kept so far.
    kept: usize,
}

/// A reply of which a line is there.
#[derive(Debug)]
struct Begun {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<String>,
}

impl ReplyReader {
    /// Takes octets up to the end of a reply; tells how many, and the reply. What is no reply is an
    /// error in words.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Result<ServerReply, String>>) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest);
            let part = &rest[..end.map_or(rest.len(), |end| end + 1)];
            at += part.len();
            if self.line.len() + part.len() > SERVER_REPLY_LINE_LEN_MAX {
                return (at, Some(Err("a reply line without end".to_owned())));
            }
            self.line.extend_from_slice(part);
            if end.is_none() {
                break;
            }
            let line = std::mem::take(&mut self.line);
            match self.take_line(&line) {
                Ok(None) => {}
                Ok(Some(reply)) => return (at, Some(Ok(reply))),
                Err(why) => return (at, Some(Err(why))),
            }
        }
        (at, None)
    }

    /// Whether part of a reply is there.
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty() && self.reply.is_none()
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<ServerReply>, String> {
        // Some servers end lines in a bare LF. RFC 5321 §2.3.8 forbids it; nothing hangs on it here.
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(parsed) = parse(line) else {
            return Err(format!("`{}` is no reply", printable(line, 80)));
        };
        self.lines += 1;
        if self.lines > SERVER_REPLY_LINES_MAX {
            return Err("a reply without end".to_owned());
        }
        let (code, last, text) = parsed;
        let reply = self.reply.get_or_insert_with(|| Begun {
            code,
            enhanced: enhanced(code, text).map(|(code, _)| code),
            lines: Vec::new(),
        });
        if reply.code != code {
            return Err(format!("a reply that is {} and {code} at once", reply.code));
        }
        if reply.lines.len() < SERVER_REPLY_LINES_KEPT {
            let text = match (reply.enhanced, enhanced(code, text)) {
                (Some(_), Some((_, rest))) => rest,
                _ => text,
            };
            let room = SERVER_REPLY_TEXT_KEPT - self.kept;
            let text = &text[..text.len().min(room)];
            self.kept += text.len();
            reply.lines.push(printable(text, room));
        }
        if !last {
            return Ok(None);
        }
        (self.lines, self.kept) = (0, 0);
        Ok(self.reply.take().map(|begun| ServerReply {
            code: begun.code,
            enhanced: begun.enhanced,
            lines: begun.lines.into(),
        }))
    }
}

/// Code, whether it is the last line, text. RFC 5321 §4.2.1: `250`, `250 text`, `250-text`
fn parse(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<3>()?;
    let fits = matches!(digits, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let code = digits.iter().fold(0, |code, digit| {
        code * 10 + u16::from(digit - b'0'.min(*digit))
    });
    match rest {
        _ if !fits => None,
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// RFC 2034 §4: the enhanced code stands first, and is of the class of the reply.
fn enhanced(code: u16, text: &[u8]) -> Option<(EnhancedCode, &[u8])> {
    let end = memchr(b' ', text).unwrap_or(text.len());
    let word = std::str::from_utf8(&text[..end]).ok()?;
    let enhanced = EnhancedCode::parse(word)?;
    let fits = u16::from(enhanced.class) == code / 100;
    fits.then(|| (enhanced, text.get(end + 1..).unwrap_or_default()))
}

/// Text that can go into a log or a report, whatever it was.
fn printable(octets: &[u8], len_max: usize) -> String {
    let octets = &octets[..octets.len().min(len_max)];
    let text = String::from_utf8_lossy(octets);
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return text.into_owned();
    }
    let plain = |c: char| {
        if c.is_control() || misleads(c) {
            '?'
        } else {
            c
        }
    };
    text.chars().map(plain).collect()
}

/// Whether a character breaks the line, or changes the order in which others are shown: a line of the
/// log could be made to look like another one. UAX #9 §2, UAX #14 §5.1
fn misleads(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What one feeding of all, and what octet by octet, must both give.
    fn replies(wire: &[u8]) -> Vec<Result<String, String>> {
        let run = |step: usize| {
            let mut reader = ReplyReader::default();
            let mut found = Vec::new();
            let mut at = 0;
            while at < wire.len() && !matches!(found.last(), Some(Err(_))) {
                let end = wire.len().min(at.saturating_add(step));
                let (taken, reply) = reader.feed(&wire[at..end]);
                at += taken;
                found.extend(reply.map(|reply| reply.map(|reply| reply.to_string())));
            }
            found
        };
        let (whole, octets) = (run(usize::MAX), run(1));
        assert_eq!(whole, octets);
        whole
    }

    #[track_caller]
    fn check(wire: &str, expect: &[&str]) {
        let found: Vec<String> = replies(wire.as_bytes())
            .into_iter()
            .map(|reply| reply.unwrap_or_else(|why| format!("! {why}")))
            .collect();
        assert_eq!(found, expect, "{wire:?}");
    }

    #[test]
    fn replies_of_one_and_of_many_lines() {
        check("250 ok\r\n", &["250 ok"]);
        check("250\r\n", &["250"]);
        check("250 \r\n", &["250"]);
        check("250-a\r\n250-b\r\n250 c\r\n", &["250 a b c"]);
        check("250 ok\n", &["250 ok"]);
        check("250 a\r\n421 b\r\n", &["250 a", "421 b"]);
    }

    #[test]
    fn enhanced_codes_of_the_right_class_count() {
        check("550 5.1.1 gone\r\n", &["550 5.1.1 gone"]);
        check(
            "550-5.1.1 gone\r\n550 5.1.1 away\r\n",
            &["550 5.1.1 gone away"],
        );
        let mut reader = ReplyReader::default();
        let (_, reply) = reader.feed(b"550 4.1.1 odd\r\n");
        let reply = reply.unwrap().unwrap();
        assert_eq!(reply.enhanced(), None);
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["4.1.1 odd"]);
    }

    #[test]
    fn what_is_no_reply_is_told() {
        check("hello\r\n", &["! `hello` is no reply"]);
        check("25\r\n", &["! `25` is no reply"]);
        check("199 x\r\n", &["! `199 x` is no reply"]);
        check("600 x\r\n", &["! `600 x` is no reply"]);
        check("250_x\r\n", &["! `250_x` is no reply"]);
        check(
            "250-a\r\n550 b\r\n",
            &["! a reply that is 250 and 550 at once"],
        );
        check("\r\n", &["! `` is no reply"]);
    }

    #[test]
    fn nothing_goes_on_for_ever() {
        let long = format!("250 {}\r\n", "x".repeat(SERVER_REPLY_LINE_LEN_MAX));
        assert!(matches!(replies(long.as_bytes()).as_slice(), [Err(_)]));
        let many = "250-x\r\n".repeat(SERVER_REPLY_LINES_MAX + 1);
        assert!(matches!(replies(many.as_bytes()).as_slice(), [Err(_)]));
        let some = format!(
            "{}250 end\r\n",
            "250-x\r\n".repeat(SERVER_REPLY_LINES_MAX - 1)
        );
        assert!(matches!(replies(some.as_bytes()).as_slice(), [Ok(_)]));
    }

    #[test]
    fn odd_octets_become_harmless() {
        let [Ok(reply)] = &replies(b"550 a\0b\xffc\rd\r\n")[..] else {
            panic!("one reply");
        };
        assert_eq!(reply, "550 a?b\u{fffd}c?d");
        check(
            "550 \u{202e}ko 052\u{2069} \u{f6}\u{200f}\u{5d0}\u{2028}250\r\n",
            &["550 ?ko 052? \u{f6}?\u{5d0}?250"],
        );
    }

    proptest! {
        #[test]
        fn no_octets_panic(wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            replies(&wire);
        }

        #[test]
        fn another_reader_sees_the_same(code in 200u16..600, lines in proptest::collection::vec("[ -~]{0,60}", 1..5)) {
            let last = lines.len() - 1;
            let wire: String = lines.iter().enumerate()
                .map(|(n, line)| format!("{code}{}{line}\r\n", if n == last { ' ' } else { '-' }))
                .collect();
            let (taken, reply) = ReplyReader::default().feed(wire.as_bytes());
            prop_assert_eq!(taken, wire.len());
            let reply = reply.unwrap().unwrap();
            let other = smtp_proto::response::parser::ResponseReceiver::default()
                .parse(&mut wire.as_bytes().iter());
            if let Ok(other) = other {
                prop_assert_eq!(other.code, reply.code());
            }
        }
    }
}
