//! Mailboxes: a local part at a host.

use std::fmt;
use std::sync::Arc;

use crate::{AddressLiteral, BadDomain, BadLiteral, Domain};

/// The part before the `@`, held without quotes. RFC 5321 §4.1.2
///
/// Compares as written: only the host that owns it may decide that case does not matter. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalPart(Arc<str>);

impl LocalPart {
    /// Takes a Dot-string or a Quoted-string.
    pub fn parse(text: &str) -> Result<Self, BadMailbox> {
        let content = match text.strip_prefix('"') {
            Some(rest) => unquote(rest.strip_suffix('"').ok_or(BadMailbox::Quotes)?)?,
            None => check_dot_string(text).map(|()| text.to_owned())?,
        };
        if text.len() > LOCAL_PART_LEN_MAX {
            return Err(BadMailbox::LocalPartTooLong);
        }
        Ok(Self(content.into()))
    }

    /// The content, without quotes and backslashes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalPart {
    /// Quotes only where the content needs it. RFC 5321 §4.1.2
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if check_dot_string(&self.0).is_ok() {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// The part behind the `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name.
    Domain(Domain),
    /// An address in brackets.
    Literal(AddressLiteral),
}

impl Host {
    /// Takes a domain or an address literal.
    pub fn parse(text: &str) -> Result<Self, BadMailbox> {
        if text.starts_with('[') {
            Ok(Self::Literal(AddressLiteral::parse(text)?))
        } else {
            Ok(Self::Domain(Domain::parse(text)?))
        }
    }

    /// The name, unless the host is an address.
    pub fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

/// An address that can get mail. RFC 5321 §4.1.2
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox {
    /// Who.
    pub local: LocalPart,
    /// Where.
    pub host: Host,
}

impl Mailbox {
    /// Takes `local@host` without angle brackets.
    pub fn parse(text: &str) -> Result<Self, BadMailbox> {
        // The last @ splits: a quoted local part may hold others, a host none.
        let (local, host) = text.rsplit_once('@').ok_or(BadMailbox::NoAt)?;
        if text.len() > MAILBOX_LEN_MAX {
            return Err(BadMailbox::TooLong);
        }
        Ok(Self {
            local: LocalPart::parse(local)?,
            host: Host::parse(host)?,
        })
    }

    /// The same address with its local part in lower case: what our own directory compares.
    #[must_use]
    pub fn folded(&self) -> Self {
        let local = LocalPart(self.local.0.to_lowercase().into());
        Self {
            local,
            host: self.host.clone(),
        }
    }

    /// The same address without `+tag`, when there is one.
    pub fn without_tag(&self) -> Option<Self> {
        let (user, _tag) = self.local.0.split_once('+')?;
        // What is stored is the content of a quoted string, not its written form.
        let local = (!user.is_empty()).then(|| LocalPart(user.into()))?;
        Some(Self {
            local,
            host: self.host.clone(),
        })
    }

    /// The same host with another local part.
    #[must_use]
    pub fn with_local(&self, local: LocalPart) -> Self {
        Self {
            local,
            host: self.host.clone(),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.local.fmt(f)?;
        f.write_str("@")?;
        self.host.fmt(f)
    }
}

/// Why a text is no mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMailbox {
    /// No `@` at all.
    #[error("the address has no @ (it looks like user@example.org)")]
    NoAt,
    /// Nothing before the `@`.
    #[error("nothing stands before the @")]
    EmptyLocalPart,
    /// A dot in front, behind, or two in a row.
    #[error("the part before the @ has a dot at an end or two dots in a row")]
    Dots,
    /// A character that needs quotes or may not stand there at all.
    #[error("the part before the @ has a character that may not stand there unquoted")]
    Character,
    /// Quotes that do not close, or a character that even quotes do not allow.
    #[error("the quoted part before the @ is not valid")]
    Quotes,
    /// More than 64 octets before the `@`.
    #[error("the part before the @ is longer than 64 octets")]
    LocalPartTooLong,
    /// More than 254 octets in all.
    #[error("the address is longer than 254 octets")]
    TooLong,
    /// The part behind the `@`.
    #[error(transparent)]
    Domain(#[from] BadDomain),
    /// The part behind the `@`, in brackets.
    #[error(transparent)]
    Literal(#[from] BadLiteral),
}

/// RFC 5321 §4.1.2: Dot-string
fn check_dot_string(text: &str) -> Result<(), BadMailbox> {
    if text.is_empty() {
        return Err(BadMailbox::EmptyLocalPart);
    }
    let (mut after_dot, mut all_atext) = (true, true);
    for byte in text.bytes() {
        let is_dot = byte == b'.';
        if is_dot && after_dot {
            return Err(BadMailbox::Dots);
        }
        after_dot = is_dot;
        all_atext &= is_dot || is_atext(byte);
    }
    match (after_dot, all_atext) {
        (true, _) => Err(BadMailbox::Dots),
        (false, false) => Err(BadMailbox::Character),
        (false, true) => Ok(()),
    }
}

/// RFC 5321 §4.1.2: QcontentSMTP, between the quotes
fn unquote(quoted: &str) -> Result<String, BadMailbox> {
    let mut content = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '"' => return Err(BadMailbox::Quotes),
            '\\' => chars.next().ok_or(BadMailbox::Quotes)?,
            c => c,
        };
        if !matches!(c, ' '..='~') {
            return Err(BadMailbox::Quotes);
        }
        content.push(c);
    }
    Ok(content)
}

/// RFC 5322 §3.2.3
fn is_atext(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/'
        | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~')
}

/// RFC 5321 §4.5.3.1.1
const LOCAL_PART_LEN_MAX: usize = 64;
/// RFC 5321 §4.5.3.1.3: a path of 256 octets, less its angle brackets.
const MAILBOX_LEN_MAX: usize = 254;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mailboxes_write_back_in_canonical_form() {
        for (text, expect) in [
            ("Ann@Example.ORG", "Ann@example.org"),
            ("a.b+tag@example.org", "a.b+tag@example.org"),
            (r#""a b"@example.org"#, r#""a b"@example.org"#),
            (r#""plain"@example.org"#, "plain@example.org"),
            (r#""a@b"@example.org"#, r#""a@b"@example.org"#),
            (r#""q\"\\"@example.org"#, r#""q\"\\"@example.org"#),
            (r#"""@example.org"#, r#"""@example.org"#),
            ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
            ("ann@[IPv6:2001:DB8::1]", "ann@[IPv6:2001:db8::1]"),
        ] {
            assert_eq!(Mailbox::parse(text).unwrap().to_string(), expect, "{text}");
        }
    }

    #[test]
    fn bad_mailboxes_say_why() {
        for (text, why) in [
            ("ann", BadMailbox::NoAt),
            ("@example.org", BadMailbox::EmptyLocalPart),
            (".a@example.org", BadMailbox::Dots),
            ("a..b@example.org", BadMailbox::Dots),
            ("a.@example.org", BadMailbox::Dots),
            (".@example.org", BadMailbox::Dots),
            ("a b..c@example.org", BadMailbox::Dots),
            ("a b.@example.org", BadMailbox::Dots),
            ("a b@example.org", BadMailbox::Character),
            ("ä@example.org", BadMailbox::Character),
            (r#""a@example.org"#, BadMailbox::Quotes),
            (r#""a"b"@example.org"#, BadMailbox::Quotes),
            ("ann@", BadMailbox::Domain(BadDomain::Empty)),
            ("ann@[1.2.3]", BadMailbox::Literal(BadLiteral::Ipv4)),
        ] {
            assert_eq!(Mailbox::parse(text), Err(why), "{text}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        assert_eq!(Mailbox::parse(&long), Err(BadMailbox::LocalPartTooLong));
        assert!(Mailbox::parse(&long[1..]).is_ok());
    }

    #[test]
    fn tags_come_off_and_case_folds() {
        let ann = Mailbox::parse("Ann+News@Example.org").unwrap();
        assert_eq!(ann.without_tag().unwrap().to_string(), "Ann@example.org");
        let odd = Mailbox::parse(r#""\"ann\"+x"@example.org"#).unwrap();
        assert_eq!(
            odd.without_tag().unwrap().to_string(),
            r#""\"ann\""@example.org"#,
            "whose quotes are part of the name is not ann"
        );
        assert_eq!(ann.folded().to_string(), "ann+news@example.org");
        assert_eq!(
            Mailbox::parse("ann@example.org").unwrap().without_tag(),
            None
        );
        assert_eq!(
            Mailbox::parse("+x@example.org").unwrap().without_tag(),
            None
        );
    }

    proptest! {
        #[test]
        fn what_is_written_parses_to_the_same(content in "[ -~]{0,30}") {
            let mailbox = Mailbox {
                local: LocalPart(content.into()),
                host: Host::parse("example.org").unwrap(),
            };
            prop_assert_eq!(Mailbox::parse(&mailbox.to_string()), Ok(mailbox));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,80}") {
            let _ = Mailbox::parse(&text);
        }
    }
}
