//! Replies of a server.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use mailtypes::EnhancedCode;

use super::limits::REPLY_LINE_LEN_MAX;

/// A reply: a code for the program, an enhanced code for the better program, text for a person.
///
/// Whatever the text was made from, what is held is printable ASCII in lines that fit.
// RFC 5321 §4.2, RFC 2034 §4
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<EnhancedCode>,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// One line, as in `Reply::new(550, "5.1.1", "No such mailbox here")`.
    pub fn new(code: u16, enhanced: &str, text: impl Into<Cow<'static, str>>) -> Self {
        let parsed = EnhancedCode::parse(enhanced);
        debug_assert!(parsed.is_some(), "no enhanced code: {enhanced}");
        Self::multi(code, parsed, [text])
    }

    /// One line without an enhanced code: greetings, replies to HELO and EHLO, 354.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self::multi(code, None, [text])
    }

    /// Any number of lines. An enhanced code stands on each of them. RFC 2034 §4
    ///
    /// A code outside 200–599, or an enhanced code of another class, is a bug of the caller; where
    /// debug assertions are off, the client gets a 451 and no enhanced code.
    pub fn multi<T: Into<Cow<'static, str>>>(
        code: u16,
        enhanced: Option<EnhancedCode>,
        lines: impl IntoIterator<Item = T>,
    ) -> Self {
        let code_ok = (200..600).contains(&code);
        debug_assert!(code_ok, "no reply code: {code}");
        let code = if code_ok { code } else { 451 };
        let class_ok = enhanced.is_none_or(|enhanced| u16::from(enhanced.class) == code / 100);
        debug_assert!(class_ok, "{code} does not go with {enhanced:?}");
        let enhanced = enhanced.filter(|_| class_ok);
        let mut reply = Self {
            code,
            enhanced,
            lines: Vec::new(),
        };
        for line in lines {
            reply.push_line(line.into());
        }
        if reply.lines.is_empty() {
            reply.lines.push(Cow::Borrowed(""));
        }
        reply
    }

    /// The three digits.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced code, when there is one.
    pub const fn enhanced(&self) -> Option<EnhancedCode> {
        self.enhanced
    }

    /// The text, line by line, without codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(AsRef::as_ref)
    }

    /// 2yz or 3yz.
    pub const fn is_yes(&self) -> bool {
        self.code < 400
    }

    /// 4yz: the client shall try again.
    pub const fn is_transient(&self) -> bool {
        self.code >= 400 && self.code < 500
    }

    /// Appends the reply as it goes over the wire.
    pub fn write(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (n, line) in self.lines.iter().enumerate() {
            let mark = if n == last { ' ' } else { '-' };
            out.reserve(CODES_LEN + line.len());
            // Writing into a vector does not fail.
            let _ = match self.enhanced {
                Some(enhanced) => write!(out, "{}{mark}{enhanced} {line}\r\n", self.code),
                None => write!(out, "{}{mark}{line}\r\n", self.code),
            };
        }
    }

    /// The reply to HELO or EHLO: our name first, a keyword a line behind, and no enhanced code,
    /// since the client cannot know yet that we have them. RFC 5321 §4.1.1.1, RFC 2034 §3
    pub(super) fn for_hello(&self, hostname: &str, keywords: Vec<String>) -> Self {
        let greet = self.lines.first().cloned().unwrap_or_default();
        let first = match greet.strip_prefix(hostname) {
            Some(rest) if rest.is_empty() || rest.starts_with(' ') => greet,
            _ if greet.is_empty() => Cow::Owned(hostname.to_owned()),
            _ => Cow::Owned(format!("{hostname} {greet}")),
        };
        let keywords = keywords.into_iter().map(Cow::Owned);
        Self::multi(250, None, [first].into_iter().chain(keywords))
    }

    fn push_line(&mut self, line: Cow<'static, str>) {
        let clean = line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if clean && line.len() <= TEXT_LEN_MAX {
            self.lines.push(line);
            return;
        }
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let text: String = line.chars().map(printable).collect();
        let mut rest = text.as_str();
        while rest.len() > TEXT_LEN_MAX {
            // A word goes whole to the next line when it is not absurdly long.
            let half = TEXT_LEN_MAX / 2;
            let at = rest[half..TEXT_LEN_MAX]
                .rfind(' ')
                .map_or(TEXT_LEN_MAX, |space| half + space + 1);
            self.lines.push(Cow::Owned(rest[..at].to_owned()));
            rest = &rest[at..];
        }
        self.lines.push(Cow::Owned(rest.to_owned()));
    }
}

impl fmt::Display for Reply {
    /// All on one line, for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        self.lines().try_for_each(|line| write!(f, " {line}"))
    }
}

/// What stands around the text of a line, at most.
const CODES_LEN: usize = "550-5.999.999 \r\n".len();
const TEXT_LEN_MAX: usize = REPLY_LINE_LEN_MAX - CODES_LEN;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_carry_their_codes_on_each_line() {
        let one = Reply::new(550, "5.1.1", "No such mailbox here");
        assert_eq!(written(&one), "550 5.1.1 No such mailbox here\r\n");
        assert_eq!(one.to_string(), "550 5.1.1 No such mailbox here");
        let two = Reply::multi(214, EnhancedCode::parse("2.0.0"), ["a", "b"]);
        assert_eq!(written(&two), "214-2.0.0 a\r\n214 2.0.0 b\r\n");
        assert_eq!(written(&Reply::plain(354, "Go on")), "354 Go on\r\n");
        let none = Reply::multi(250, None, Vec::<String>::new());
        assert_eq!(written(&none), "250 \r\n");
    }

    #[test]
    fn the_hostname_stands_first_and_once() {
        let hello = |text: &'static str| {
            let reply = Reply::new(250, "2.0.0", text);
            written(&reply.for_hello("mx.example", vec!["SIZE 1".to_owned()]))
        };
        assert_eq!(hello("hi"), "250-mx.example hi\r\n250 SIZE 1\r\n");
        assert_eq!(
            hello("mx.example yo"),
            "250-mx.example yo\r\n250 SIZE 1\r\n"
        );
        assert_eq!(
            hello("mx.example2"),
            "250-mx.example mx.example2\r\n250 SIZE 1\r\n"
        );
        assert_eq!(hello(""), "250-mx.example\r\n250 SIZE 1\r\n");
    }

    proptest! {
        #[test]
        fn any_text_becomes_lines_that_fit(text in ".{0,1500}") {
            let reply = Reply::new(451, "4.3.0", text);
            let wire = written(&reply);
            prop_assert!(wire.ends_with("\r\n"));
            let lines: Vec<_> = wire.split_terminator("\r\n").collect();
            for (n, line) in lines.iter().enumerate() {
                prop_assert!(line.len() + 2 <= REPLY_LINE_LEN_MAX);
                prop_assert!(line.bytes().all(|b| matches!(b, b' '..=b'~')));
                let start = if n + 1 == lines.len() { "451 4.3.0 " } else { "451-4.3.0 " };
                prop_assert!(line.starts_with(start));
            }
            let parsed = smtp_proto::response::parser::ResponseReceiver::default()
                .parse(&mut wire.as_bytes().iter())
                .unwrap();
            prop_assert_eq!(parsed.code, 451);
            prop_assert_eq!(parsed.esc, [4, 3, 0]);
        }
    }
}
