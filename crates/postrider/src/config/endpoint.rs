//! Where traces are sent: `http://HOST:PORT`.

use std::fmt;
use std::net::IpAddr;

use mailtypes::Domain;

/// A collector that takes OTLP over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(Domain),
}

impl Endpoint {
    /// Takes `http://HOST`, `http://HOST:PORT` and the same with a slash behind it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(rest) = text.strip_prefix("http://") else {
            return Err(NOT_HTTP);
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@']) {
            return Err(MORE_THAN_A_HOST);
        }
        let (host, port) = split(rest)?;
        let host = match host.parse() {
            Ok(ip) => Host::Address(ip),
            Err(_) if rest.starts_with('[') => return Err(NO_HOST),
            Err(_) => Host::Name(Domain::parse(host).map_err(|_| NO_HOST)?),
        };
        Ok(Self { host, port })
    }

    /// Whether what is sent stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Address(ip) => ip.to_canonical().is_loopback(),
            Host::Name(name) => name.as_str() == "localhost",
        }
    }

    /// Whom to connect to.
    pub(crate) fn connect_to(&self) -> (String, u16) {
        let host = match &self.host {
            Host::Address(ip) => ip.to_string(),
            Host::Name(name) => name.to_string(),
        };
        (host, self.port)
    }

    /// `HOST:PORT`, as the header field `Host` has it.
    pub(crate) fn authority(&self) -> String {
        match &self.host {
            Host::Address(ip @ IpAddr::V6(_)) => format!("[{ip}]:{}", self.port),
            Host::Address(ip @ IpAddr::V4(_)) => format!("{ip}:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.
fn split(text: &str) -> Result<(&str, u16), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(NO_HOST)?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, PORT)),
        None => Err(NO_HOST),
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => Err("this port is not between 1 and 65535"),
            Ok(port) => Ok((host, port)),
        },
    }
}

/// Where collectors listen for OTLP over HTTP.
const PORT: u16 = 4318;

const NOT_HTTP: &str = "only http:// is supported: a collector runs beside the server and passes \
                        traces on, by https if need be";
const MORE_THAN_A_HOST: &str = "only a host and a port: the path is /v1/traces always";
const NO_HOST: &str = "this is no host with a port (IPv6 stands in brackets)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_over_plain_http() {
        for (text, wanted) in [
            ("http://127.0.0.1:4318", Ok("http://127.0.0.1:4318")),
            ("http://127.0.0.1:4318/", Ok("http://127.0.0.1:4318")),
            ("http://localhost", Ok("http://localhost:4318")),
            ("http://[::1]:1", Ok("http://[::1]:1")),
            ("http://[::1]", Ok("http://[::1]:4318")),
            (
                "http://Otel.example.org:99",
                Ok("http://otel.example.org:99"),
            ),
            ("https://127.0.0.1:4318", Err(NOT_HTTP)),
            ("grpc://127.0.0.1:4317", Err(NOT_HTTP)),
            ("127.0.0.1:4318", Err(NOT_HTTP)),
            ("", Err(NOT_HTTP)),
            ("http://127.0.0.1:4318/v1/traces", Err(MORE_THAN_A_HOST)),
            ("http://127.0.0.1:4318//", Err(MORE_THAN_A_HOST)),
            ("http://u:p@127.0.0.1:4318", Err(MORE_THAN_A_HOST)),
            ("http://", Err(NO_HOST)),
            ("http://:4318", Err(NO_HOST)),
            ("http://::1", Err("this port is not between 1 and 65535")),
            ("http://[::1", Err(NO_HOST)),
            ("http://[::1]4318", Err(NO_HOST)),
            ("http://[localhost]", Err(NO_HOST)),
            ("http://a b", Err(NO_HOST)),
            (
                "http://localhost:0",
                Err("this port is not between 1 and 65535"),
            ),
            (
                "http://localhost:65536",
                Err("this port is not between 1 and 65535"),
            ),
        ] {
            let found = Endpoint::parse(text).map(|endpoint| endpoint.to_string());
            assert_eq!(found.as_deref().map_err(|e| *e), wanted, "{text}");
        }
    }

    #[test]
    fn what_stays_on_this_machine() {
        for (text, wanted) in [
            ("http://127.0.0.1", true),
            ("http://127.8.8.8", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost", true),
            ("http://localhost.example.org", false),
            ("http://0.0.0.0", false),
            ("http://192.0.2.1", false),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.is_loopback(), wanted, "{text}");
        }
    }
}
