//! Questions to the DNS and their answers, as values. Who asks is not known here.

mod name;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use name::{BadDnsName, DnsName};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// About which name.
    pub name: DnsName,
    /// For which records.
    pub kind: Kind,
}

/// A type of records. RFC 1035 §3.2.2, RFC 3596 §2
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Mail exchangers.
    Mx,
    /// Texts.
    Txt,
    /// Names of an address.
    Ptr,
}

/// What was answered: the records may be none, when the name has none of that kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The records.
    pub records: Records,
    /// The names that led to the records, when the name was an alias: first to last. RFC 1034 §3.6.2
    pub aliases: Vec<DnsName>,
    /// How long this may be relied on.
    pub ttl: Duration,
}

/// Records of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// IPv4 addresses.
    A(Vec<Ipv4Addr>),
    /// IPv6 addresses.
    Aaaa(Vec<Ipv6Addr>),
    /// Mail exchangers.
    Mx(Vec<MxRecord>),
    /// Texts, their strings joined. RFC 7208 §3.3
    Txt(Vec<Vec<u8>>),
    /// Names.
    Ptr(Vec<DnsName>),
}

/// One MX record. RFC 1035 §3.3.9
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MxRecord {
    /// The lower the better.
    pub preference: u16,
    /// Which host.
    pub exchange: Exchange,
}

/// The host of an MX record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// `.`: nobody. RFC 7505 §3
    Root,
    /// A host.
    Host(DnsName),
    /// What is no host name.
    Bad(String),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// NXDOMAIN: the one error that is final.
    #[error("the name does not exist (NXDOMAIN)")]
    NoSuchName,
    /// The server said that it failed.
    #[error("the DNS server {0} failed (SERVFAIL)")]
    ServFail(String),
    /// The server will not answer us.
    #[error("the DNS server refuses to answer ({0})")]
    Refused(String),
    /// Nobody answered.
    #[error("no DNS server answered within {} s", .0.as_secs())]
    Timeout(Duration),
    /// No way to a server.
    #[error("no DNS server can be reached: {0}")]
    Network(String),
    /// The answer makes no sense.
    #[error("the DNS server gave a wrong answer: {0}")]
    Malformed(String),
    /// One name stands for another without end.
    #[error("the name is an alias of an alias without end")]
    TooManyAliases,
}

impl DnsError {
    /// Whether another try may give an answer.
    pub const fn is_temporary(&self) -> bool {
        !matches!(self, Self::NoSuchName)
    }
}

impl Kind {
    /// The name of the type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Ptr => "PTR",
        }
    }

    /// No records of this type.
    pub const fn nothing(self) -> Records {
        match self {
            Self::A => Records::A(Vec::new()),
            Self::Aaaa => Records::Aaaa(Vec::new()),
            Self::Mx => Records::Mx(Vec::new()),
            Self::Txt => Records::Txt(Vec::new()),
            Self::Ptr => Records::Ptr(Vec::new()),
        }
    }
}

impl Records {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::A(list) => list.is_empty(),
            Self::Aaaa(list) => list.is_empty(),
            Self::Mx(list) => list.is_empty(),
            Self::Txt(list) => list.is_empty(),
            Self::Ptr(list) => list.is_empty(),
        }
    }
}

impl fmt::Display for Question {
    /// As in `MX example.org`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

impl fmt::Display for Answer {
    /// The records on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = match &self.records {
            Records::A(list) => list.iter().map(ToString::to_string).collect(),
            Records::Aaaa(list) => list.iter().map(ToString::to_string).collect(),
            Records::Mx(list) => list.iter().map(ToString::to_string).collect(),
            Records::Txt(list) => list
                .iter()
                .map(|text| format!("\"{}\"", text.escape_ascii()))
                .collect(),
            Records::Ptr(list) => list.iter().map(ToString::to_string).collect(),
        };
        if texts.is_empty() {
            return f.write_str("none");
        }
        for alias in &self.aliases {
            write!(f, "alias of {alias}: ")?;
        }
        f.write_str(&texts.join(", "))
    }
}

impl fmt::Display for MxRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exchange {
            Exchange::Root => write!(f, "{} .", self.preference),
            Exchange::Host(name) => write!(f, "{} {name}", self.preference),
            Exchange::Bad(text) => write!(f, "{} {text:?} (no host name)", self.preference),
        }
    }
}
