//! Where mail is handed over next.

use std::fmt;
use std::net::IpAddr;

use mailtypes::{AddressLiteral, Domain};

/// The next hop of some mail: recipients with the same one may share connections.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NextHop {
    /// The host, or the domain whose mail exchangers are meant.
    pub host: HopHost,
    /// The TCP port.
    pub port: u16,
}

/// The host part of a [`NextHop`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HopHost {
    /// The mail exchangers of the domain that the mail is for. RFC 5321 §5.1
    MxOf(Domain),
    /// Those of a domain that the configuration names.
    MxOfRoute(Domain),
    /// This host itself: its MX records are not looked at.
    Host(Domain),
    /// This address.
    Address(IpAddr),
}

impl NextHop {
    /// The way by the MX records of a domain.
    pub fn mx_of(domain: Domain) -> Self {
        Self {
            host: HopHost::MxOf(domain),
            port: SMTP_PORT,
        }
    }

    /// The way of an address literal. RFC 5321 §4.1.3
    pub fn address(ip: IpAddr) -> Self {
        Self {
            host: HopHost::Address(ip),
            port: SMTP_PORT,
        }
    }

    /// A hop that the configuration names: takes `[host]:port`, `[address]:port`, or `domain:port` for the mail exchangers of a domain;
    /// without a port it is 25.
    pub fn parse(text: &str) -> Result<Self, BadNextHop> {
        let (host, port) = split_port(text)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or(BadNextHop::Bracket)?;
                direct(inner, host)?
            }
            None => HopHost::MxOfRoute(Domain::parse(host).map_err(|_| BadNextHop::Domain)?),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for NextHop {
    /// The form that [`NextHop::parse`] takes; port 25 is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HopHost::MxOf(domain) | HopHost::MxOfRoute(domain) => write!(f, "{}", domain.as_str())?,
            HopHost::Host(domain) => write!(f, "[{}]", domain.as_str())?,
            HopHost::Address(ip) => AddressLiteral::Ip(*ip).fmt(f)?,
        }
        if self.port != SMTP_PORT {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// Why a text is no next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNextHop {
    /// `[` without `]`.
    #[error("a `]` is missing")]
    Bracket,
    /// Not a domain name.
    #[error("this is no domain name; an address stands in brackets, as in [192.0.2.1]:25")]
    Domain,
    /// Not a port.
    #[error("the port is no number from 1 to 65535")]
    Port,
}

fn direct(inner: &str, bracketed: &str) -> Result<HopHost, BadNextHop> {
    if let Ok(ip) = inner.parse::<IpAddr>() {
        return Ok(HopHost::Address(ip));
    }
    if let Ok(AddressLiteral::Ip(ip)) = AddressLiteral::parse(bracketed) {
        return Ok(HopHost::Address(ip));
    }
    Domain::parse(inner)
        .map(HopHost::Host)
        .map_err(|_| BadNextHop::Domain)
}

fn split_port(text: &str) -> Result<(&str, u16), BadNextHop> {
    // The colons of an IPv6 address stand within its brackets.
    let behind = text.rfind(']').map_or(0, |at| at + 1);
    let Some(colon) = text[behind..].rfind(':') else {
        return Ok((text, SMTP_PORT));
    };
    let (host, port) = text.split_at(behind + colon);
    let port = port[1..].parse().map_err(|_| BadNextHop::Port)?;
    if port == 0 {
        return Err(BadNextHop::Port);
    }
    Ok((host, port))
}

/// RFC 5321 §4.5.4.2
pub(crate) const SMTP_PORT: u16 = 25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_parse_and_write_back() {
        for text in [
            "example.org",
            "example.org:2525",
            "[mx.example.org]",
            "[mx.example.org]:587",
            "[192.0.2.1]:26",
            "[IPv6:2001:db8::1]",
            "[IPv6:2001:db8::1]:2525",
        ] {
            assert_eq!(NextHop::parse(text).unwrap().to_string(), text);
        }
        let bare = NextHop::parse("[2001:db8::1]:26").unwrap();
        assert_eq!(bare.to_string(), "[IPv6:2001:db8::1]:26");
    }

    #[test]
    fn bad_hops_say_why() {
        for (text, why) in [
            ("[mx.example.org", BadNextHop::Bracket),
            ("[mx.example.org:25", BadNextHop::Bracket),
            ("mx..example", BadNextHop::Domain),
            ("", BadNextHop::Domain),
            ("[]:25", BadNextHop::Domain),
            ("mx.example.org:", BadNextHop::Port),
            ("mx.example.org:0", BadNextHop::Port),
            ("mx.example.org:65536", BadNextHop::Port),
            ("mx.example.org:smtp", BadNextHop::Port),
        ] {
            assert_eq!(NextHop::parse(text), Err(why), "{text}");
        }
    }
}
