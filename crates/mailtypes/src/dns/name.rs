//! Names in the DNS.

use std::fmt;

use crate::Domain;

/// A name in lower case without the final dot, underscores allowed. RFC 1035 §2.3.4, RFC 2181 §11
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Box<str>);

impl DnsName {
    /// Takes a name with or without its final dot. The root is no name here.
    pub fn parse(text: &str) -> Result<Self, BadDnsName> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let fits = |label: &str| {
            (1..=LABEL_LEN_MAX).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if text.len() > NAME_LEN_MAX || !text.split('.').all(fits) {
            return Err(BadDnsName);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Domain> for DnsName {
    fn from(domain: &Domain) -> Self {
        Self(domain.as_str().into())
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no name in the DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no name in the DNS")]
pub struct BadDnsName;

/// Octets of a label.
const LABEL_LEN_MAX: usize = 63;
/// Octets of a name in dots, without the final one.
const NAME_LEN_MAX: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_lower_case_without_the_final_dot() {
        for (text, expect) in [
            ("MX.Example.org.", Some("mx.example.org")),
            ("_25._tcp.mx.example.org", Some("_25._tcp.mx.example.org")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a b", None),
        ] {
            let name = DnsName::parse(text).ok();
            assert_eq!(name.as_ref().map(DnsName::as_str), expect, "{text}");
        }
        let label = "x".repeat(LABEL_LEN_MAX);
        assert!(DnsName::parse(&label).is_ok());
        assert!(DnsName::parse(&format!("{label}x")).is_err());
        assert!(DnsName::parse(&[label.as_str(); 4].join(".")).is_err());
    }
}
