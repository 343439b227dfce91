//! Domain names as mail uses them.

use std::fmt;
use std::sync::Arc;

/// A domain in lower-case A-label form without the final dot. RFC 5321 §2.3.5, RFC 5890 §2.3.2.1
///
/// Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(Arc<str>);

impl Domain {
    /// The only way in: whoever holds a `Domain` holds a valid one.
    ///
    /// U-labels are turned into A-labels; one final dot is dropped. An underscore is let through
    /// although RFC 5321 §4.1.2 has none, because hosts in the field carry it.
    pub fn parse(text: &str) -> Result<Self, BadDomain> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(text).map_err(|_| BadDomain::NotInternational)?
        };
        if ascii.is_empty() {
            return Err(BadDomain::Empty);
        }
        if ascii.len() > DOMAIN_LEN_MAX {
            return Err(BadDomain::TooLong);
        }
        ascii.split('.').try_for_each(check_label)?;
        Ok(Self(ascii.into()))
    }

    /// The name, lower case, without a final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDomain {
    /// Nothing there.
    #[error("the domain is empty")]
    Empty,
    /// More than 255 octets.
    #[error("the domain is longer than 255 octets")]
    TooLong,
    /// Two dots in a row, or one in front.
    #[error("the domain has an empty label (two dots in a row?)")]
    EmptyLabel,
    /// A label of more than 63 octets.
    #[error("a label of the domain is longer than 63 octets")]
    LabelTooLong,
    /// A label starts or ends with a hyphen.
    #[error("a label of the domain starts or ends with a hyphen")]
    Hyphen,
    /// Something else than letters, digits and hyphens.
    #[error("the domain has a character other than letters, digits, hyphens and dots")]
    Character,
    /// A name in another script that IDNA does not allow.
    #[error("the domain is not a valid internationalized name")]
    NotInternational,
}

fn check_label(label: &str) -> Result<(), BadDomain> {
    match label.as_bytes() {
        [] => Err(BadDomain::EmptyLabel),
        bytes if bytes.len() > LABEL_LEN_MAX => Err(BadDomain::LabelTooLong),
        [b'-', ..] | [.., b'-'] => Err(BadDomain::Hyphen),
        bytes
            if bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) =>
        {
            Ok(())
        }
        _ => Err(BadDomain::Character),
    }
}

/// RFC 5321 §4.5.3.1.2
const DOMAIN_LEN_MAX: usize = 255;
/// RFC 1035 §2.3.4
const LABEL_LEN_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, BadDomain>) {
        assert_eq!(
            Domain::parse(text).as_ref().map(Domain::as_str),
            expect.as_ref().copied()
        );
    }

    #[test]
    fn names_are_lowered_and_stripped() {
        check("Example.ORG", Ok("example.org"));
        check("example.org.", Ok("example.org"));
        check("localhost", Ok("localhost"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("bücher.example", Ok("xn--bcher-kva.example"));
        check("mail_1.example", Ok("mail_1.example"));
    }

    #[test]
    fn what_is_no_domain_says_why() {
        check("", Err(BadDomain::Empty));
        check(".", Err(BadDomain::Empty));
        check("a..b", Err(BadDomain::EmptyLabel));
        check(".a", Err(BadDomain::EmptyLabel));
        check("example.org..", Err(BadDomain::EmptyLabel));
        check("-a.example", Err(BadDomain::Hyphen));
        check("a-.example", Err(BadDomain::Hyphen));
        check("a b.example", Err(BadDomain::Character));
        check("[192.0.2.1]", Err(BadDomain::Character));
    }

    #[test]
    fn lengths_are_limited() {
        check(&"a".repeat(63), Ok(&"a".repeat(63)));
        check(&"a".repeat(64), Err(BadDomain::LabelTooLong));
        let long = [
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(63),
        ]
        .join(".");
        check(&long, Ok(&long));
        check(&format!("{long}.e"), Err(BadDomain::TooLong));
    }
}
