//! Hosts named by address instead of by name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::IpText;

/// An address literal, as in `ann@[192.0.2.1]`. RFC 5321 §4.1.3
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    Ip(IpAddr),
    /// `[tag:content]` with a tag that we do not know.
    General {
        /// The registered tag.
        tag: Box<str>,
        /// What stands behind the colon.
        content: Box<str>,
    },
}

impl AddressLiteral {
    /// Takes the literal with its brackets.
    pub fn parse(text: &str) -> Result<Self, BadLiteral> {
        let inner = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .ok_or(BadLiteral::Brackets)?;
        let Some((tag, content)) = inner.split_once(':') else {
            return inner
                .parse::<Ipv4Addr>()
                .map(|ip| Self::Ip(ip.into()))
                .map_err(|_| BadLiteral::Ipv4);
        };
        if tag.eq_ignore_ascii_case("IPv6") {
            let ip = content.parse::<Ipv6Addr>().map_err(|_| BadLiteral::Ipv6)?;
            return Ok(Self::Ip(ip.into()));
        }
        let tag_ok = !tag.is_empty()
            && !tag.ends_with('-')
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let content_ok = !content.is_empty() && content.bytes().all(is_dcontent);
        if tag_ok && content_ok && text.len() <= LITERAL_LEN_MAX {
            Ok(Self::General {
                tag: tag.into(),
                content: content.into(),
            })
        } else {
            Err(BadLiteral::General)
        }
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip @ IpAddr::V4(_)) => write!(f, "[{}]", IpText(*ip)),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

/// Why a text is no address literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLiteral {
    /// No `[` in front or no `]` behind.
    #[error("an address literal stands in [brackets]")]
    Brackets,
    /// Not four numbers.
    #[error("the IPv4 address literal is not valid, as in [192.0.2.1]")]
    Ipv4,
    /// `IPv6:` without a valid address behind.
    #[error("the IPv6 address literal is not valid, as in [IPv6:2001:db8::1]")]
    Ipv6,
    /// Some other tag, badly made.
    #[error("the address literal is not valid")]
    General,
}

/// RFC 5321 §4.1.3: dcontent
fn is_dcontent(byte: u8) -> bool {
    matches!(byte, 33..=90 | 94..=126)
}

/// RFC 5321 §4.5.3.1.2: a literal stands where a domain may stand.
const LITERAL_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_parse_and_write_back() {
        for text in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[x-tag:a.b]"] {
            assert_eq!(AddressLiteral::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            AddressLiteral::parse("[ipv6:::1]").unwrap().to_string(),
            "[IPv6:::1]"
        );
    }

    #[test]
    fn bad_literals_say_why() {
        for (text, why) in [
            ("192.0.2.1", BadLiteral::Brackets),
            ("[192.0.2]", BadLiteral::Ipv4),
            ("[192.0.2.256]", BadLiteral::Ipv4),
            ("[]", BadLiteral::Ipv4),
            ("[IPv6:192.0.2.1]", BadLiteral::Ipv6),
            ("[tag:]", BadLiteral::General),
            ("[tag-:x]", BadLiteral::General),
            ("[tag:a b]", BadLiteral::General),
        ] {
            assert_eq!(AddressLiteral::parse(text), Err(why), "{text}");
        }
    }
}
