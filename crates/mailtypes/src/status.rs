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
        let mut parts = text.split('.');
        let code = Self {
            class: parts
                .next()?
                .parse()
                .ok()
                .filter(|class| matches!(class, 2 | 4 | 5))?,
            subject: parts.next()?.parse().ok().filter(|n| *n < 1000)?,
            detail: parts.next()?.parse().ok().filter(|n| *n < 1000)?,
        };
        parts.next().is_none().then_some(code)
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
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
        for text in ["2.0.0", "5.1.1", "4.7.500"] {
            assert_eq!(EnhancedCode::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "5.1", "3.1.1", "5.1.1.1", "5.1000.1", "5.x.1"] {
            assert_eq!(EnhancedCode::parse(text), None, "{text}");
        }
    }
}
