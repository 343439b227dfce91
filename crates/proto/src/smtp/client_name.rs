//! What a client calls itself.

use std::fmt;

use mailtypes::{AddressLiteral, Domain};

use super::limits::DOMAIN_LEN_MAX;

/// The argument of HELO or EHLO. RFC 5321 §4.1.1.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientName {
    /// A name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
    /// Neither, but one printable word: not worth losing mail for. RFC 5321 §4.1.4
    Other(String),
}

impl ClientName {
    /// Takes the argument.
    pub fn parse(text: &str) -> Result<Self, BadClientName> {
        if text.is_empty() {
            return Err(BadClientName::Empty);
        }
        if text.len() > DOMAIN_LEN_MAX {
            return Err(BadClientName::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadClientName::Words);
        }
        Ok(AddressLiteral::parse(text)
            .map(Self::Literal)
            .or_else(|_| Domain::parse(text).map(Self::Domain))
            .unwrap_or_else(|_| Self::Other(text.to_owned())))
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
            Self::Other(text) => text.fmt(f),
        }
    }
}

/// Why a text is no name of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadClientName {
    /// Nothing there.
    #[error("say who you are")]
    Empty,
    /// More than 255 octets.
    #[error("that name is longer than 255 octets")]
    TooLong,
    /// A space, or something that is not printable ASCII.
    #[error("that name is not one word")]
    Words,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_form() {
        let domain = |text| ClientName::Domain(Domain::parse(text).unwrap());
        let literal = |text| ClientName::Literal(AddressLiteral::parse(text).unwrap());
        for (text, expect) in [
            ("Client.Example.NET", Ok(domain("client.example.net"))),
            ("localhost", Ok(domain("localhost"))),
            ("[192.0.2.1]", Ok(literal("[192.0.2.1]"))),
            ("[IPv6:2001:db8::1]", Ok(literal("[IPv6:2001:db8::1]"))),
            ("[192.0.2.1", Ok(ClientName::Other("[192.0.2.1".to_owned()))),
            ("a..b", Ok(ClientName::Other("a..b".to_owned()))),
            ("", Err(BadClientName::Empty)),
            ("two words", Err(BadClientName::Words)),
        ] {
            assert_eq!(ClientName::parse(text), expect, "{text}");
        }
        let long = "a".repeat(256);
        assert_eq!(ClientName::parse(&long), Err(BadClientName::TooLong));
        assert!(ClientName::parse(&long[1..]).is_ok());
    }
}
