//! What became of a recipient, in the codes that mail servers tell each other.

use std::fmt;

/// An enhanced status code. RFC 3463 §2
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedCode {
    /// 2 success, 4 try again, 5 give up.
    pub class: u8,
    /// What it is about.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl EnhancedCode {
    /// `class.subject.detail`
    pub const fn new(class: u8, subject: u16, detail: u16) -> Self {
        Self {
            class,
            subject,
            detail,
        }
    }

    /// Takes the form `5.1.1`.
    pub fn parse(text: &str) -> Option<Self> {
        let (class, rest) = match text.as_bytes() {
            [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] => (class - b'0', rest),
            _ => return None,
        };
        let (subject, rest) = number(rest)?;
        let (detail, rest) = number(rest.strip_prefix(b".")?)?;
        rest.is_empty().then_some(Self {
            class,
            subject,
            detail,
        })
    }
}

/// One to three digits in front, and what stands behind them. RFC 3463 §2
fn number(text: &[u8]) -> Option<(u16, &[u8])> {
    let digits = text.iter().take_while(|octet| octet.is_ascii_digit());
    let (digits, rest) = text.split_at(digits.count());
    let add = |number, digit: &u8| number * 10 + u16::from(digit - b'0');
    matches!(digits.len(), 1..=3).then(|| (digits.iter().fold(0, add), rest))
}

impl fmt::Display for EnhancedCode {
    /// Written at one go: it stands in every reply, and three numbers by themselves cost five times as
    /// much.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'.'; "255.65535.65535".len() + 1];
        let mut at = text.len();
        for mut number in [self.detail, self.subject, u16::from(self.class)] {
            loop {
                at -= 1;
                text[at] = b'0' + (number % 10).to_le_bytes()[0];
                number /= 10;
                if number == 0 {
                    break;
                }
            }
            // The dot in front of it.
            at -= 1;
        }
        f.write_str(std::str::from_utf8(&text[at + 1..]).map_err(|_| fmt::Error)?)
    }
}

/// The outcome of one attempt for one recipient, in words. RFC 3464 §2.3.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The code for programs.
    pub code: EnhancedCode,
    /// The text for people.
    pub text: String,
}

impl Status {
    /// A status of any class.
    pub fn new(code: EnhancedCode, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_parse_and_write_back() {
        for text in ["2.0.0", "5.1.1", "4.7.500", "5.999.10"] {
            assert_eq!(EnhancedCode::parse(text).unwrap().to_string(), text);
        }
        let longest = EnhancedCode::new(u8::MAX, u16::MAX, u16::MAX);
        assert_eq!(longest.to_string(), "255.65535.65535");
        for text in [
            "",
            "5",
            "5.",
            "5.1",
            "5.1.",
            "3.1.1",
            "25.1.1",
            "5.1.1.1",
            "5.1000.1",
            "5.1.1000",
            "5.x.1",
            "5.1.x",
            "5..1",
            "5.+1.1",
            ".5.1.1",
            "5.1.1 ",
            "5.65537.1",
            "05.1.1",
            "5.0001.1",
            "5.1.0001",
        ] {
            assert_eq!(EnhancedCode::parse(text), None, "{text}");
        }
    }
}
