//! The envelope without its recipients: what a client says of the whole message.

use std::fmt;

use crate::ReversePath;

/// Who sends, and how the message wants to be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// MAIL FROM.
    pub reverse_path: ReversePath,
    /// The BODY parameter. RFC 6152 §3
    pub body: BodyType,
    /// The SMTPUTF8 parameter. RFC 6531 §3.4
    pub smtputf8: bool,
    /// The REQUIRETLS parameter. RFC 8689 §2
    pub require_tls: bool,
}

impl Envelope {
    /// A plain envelope from `reverse_path`.
    pub const fn from(reverse_path: ReversePath) -> Self {
        Self {
            reverse_path,
            body: BodyType::SevenBit,
            smtputf8: false,
            require_tls: false,
        }
    }
}

/// What the client says of the octets of the body. RFC 6152 §3, RFC 3030 §3
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyType {
    /// `BODY=7BIT`, and what holds when nothing is said.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`
    EightBitMime,
    /// `BODY=BINARYMIME`
    BinaryMime,
}

impl BodyType {
    /// The word of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        }
    }

    /// Takes the word of the parameter, in either case.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::SevenBit, Self::EightBitMime, Self::BinaryMime]
            .into_iter()
            .find(|body| body.as_str().eq_ignore_ascii_case(word))
    }
}

/// The protocol that a message came by, as `Received:` names it. RFC 3848, RFC 5321 §4.4
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HELO.
    Smtp,
    /// EHLO.
    Esmtp,
    /// EHLO and STARTTLS.
    Esmtps,
    /// EHLO and AUTH.
    Esmtpa,
    /// EHLO, STARTTLS and AUTH.
    Esmtpsa,
}

impl Protocol {
    /// The registered word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "SMTP",
            Self::Esmtp => "ESMTP",
            Self::Esmtps => "ESMTPS",
            Self::Esmtpa => "ESMTPA",
            Self::Esmtpsa => "ESMTPSA",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
