//! The DNS servers of the machine, asked by `hickory`.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as WireError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{TokioResolver, system_conf};
use mailtypes::dns::{Answer, DnsError, DnsName, Exchange, Kind, MxRecord, Question, Records};
use tokio::time::Instant;

use super::Dns;

/// Whom to ask, and how patiently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSettings {
    /// The servers; none means those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long one try at a question may take, with all the servers that are asked in it; there are
    /// two.
    pub try_timeout: Duration,
    /// How long a question may take in all.
    pub lookup_timeout: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            try_timeout: Duration::from_secs(5),
            lookup_timeout: Duration::from_secs(30),
        }
    }
}

/// Asks servers, without remembering anything.
#[derive(Clone)]
pub struct Servers {
    resolver: TokioResolver,
    names: String,
    lookup_timeout: Duration,
}

impl Servers {
    /// Servers as the settings have them. Asks nobody yet.
    pub fn new(settings: &DnsSettings) -> Result<Self, DnsError> {
        let servers = if settings.servers.is_empty() {
            of_the_machine()?
        } else {
            settings.servers.iter().map(server).collect()
        };
        let names: Vec<String> = servers
            .iter()
            .map(|server: &NameServerConfig| server.ip.to_string())
            .collect();
        // No search list: a mail domain is never completed with another one.
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options(settings);
        let resolver = builder
            .build()
            .map_err(|error| DnsError::Network(error.to_string()))?;
        Ok(Self {
            resolver,
            names: names.join(", "),
            lookup_timeout: settings.lookup_timeout,
        })
    }

    async fn ask(&self, question: &Question) -> Result<Answer, DnsError> {
        let began = Instant::now();
        let malformed = || DnsError::Malformed(format!("{} is no name", question.name));
        let mut name = Name::from_ascii(question.name.as_str()).map_err(|_| malformed())?;
        name.set_fqdn(true);
        match self.resolver.lookup(name, wire_type(question.kind)).await {
            Ok(lookup) => answer(question, &lookup),
            Err(NetError::Dns(error)) => self.negative(question, &error),
            Err(NetError::Timeout) => Err(timeout(began)),
            Err(NetError::Proto(error)) => Err(DnsError::Malformed(error.to_string())),
            Err(error) => Err(DnsError::Network(error.to_string())),
        }
    }

    fn negative(&self, question: &Question, error: &WireError) -> Result<Answer, DnsError> {
        match error {
            WireError::NoRecordsFound(none) => match none.response_code {
                ResponseCode::NXDomain => Err(DnsError::NoSuchName),
                ResponseCode::NoError => Ok(Answer {
                    records: question.kind.nothing(),
                    aliases: Vec::new(),
                    ttl: Duration::from_secs(none.negative_ttl.unwrap_or_default().into()),
                }),
                code => Err(DnsError::ServFail(format!("{} ({code})", self.names))),
            },
            WireError::ResponseCode(ResponseCode::ServFail) => {
                Err(DnsError::ServFail(self.names.clone()))
            }
            WireError::ResponseCode(code) => {
                Err(DnsError::Refused(format!("{}: {code}", self.names)))
            }
            other => Err(DnsError::Malformed(other.to_string())),
        }
    }
}

impl Dns for Servers {
    async fn lookup(&self, question: Question) -> Result<Answer, DnsError> {
        let asked = tokio::time::timeout(self.lookup_timeout, self.ask(&question));
        asked
            .await
            .unwrap_or(Err(DnsError::Timeout(self.lookup_timeout)))
    }
}

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Servers({})", self.names)
    }
}

/// How long it was really waited, in whole seconds.
fn timeout(began: Instant) -> DnsError {
    let secs = began.elapsed().as_millis().div_ceil(1000);
    DnsError::Timeout(Duration::from_secs(u64::try_from(secs).unwrap_or(u64::MAX)))
}

fn of_the_machine() -> Result<Vec<NameServerConfig>, DnsError> {
    let (config, _) = system_conf::read_system_conf()
        .map_err(|error| DnsError::Network(format!("/etc/resolv.conf: {error}")))?;
    if config.name_servers().is_empty() {
        let text = "/etc/resolv.conf names no server".to_owned();
        return Err(DnsError::Network(text));
    }
    Ok(config.name_servers().to_vec())
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let with_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    NameServerConfig::new(
        address.ip(),
        true,
        connections.map(with_port).into_iter().collect(),
    )
}

fn options(settings: &DnsSettings) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = settings.try_timeout;
    options.attempts = 2;
    options.cache_size = 0; // ours is in front of it
    options.use_hosts_file = ResolveHosts::Never;
    options.max_active_requests = 256;
    options.ndots = 0;
    options
}

fn wire_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Txt => RecordType::TXT,
        Kind::Ptr => RecordType::PTR,
    }
}

/// The records of the right type, and the aliases on the way to them.
fn answer(question: &Question, lookup: &Lookup) -> Result<Answer, DnsError> {
    let mut records = question.kind.nothing();
    let mut aliases = Vec::new();
    let mut ttl = u32::MAX;
    for record in lookup.answers() {
        ttl = ttl.min(record.ttl);
        take(record, &mut records, &mut aliases);
    }
    // A name that is an alias of one that does not exist does not exist either. RFC 2308 §2.1
    if records.is_empty() && lookup.message().response_code == ResponseCode::NXDomain {
        return Err(DnsError::NoSuchName);
    }
    if aliases.len() > ALIASES_MAX {
        return Err(DnsError::TooManyAliases);
    }
    Ok(Answer {
        records,
        aliases,
        ttl: Duration::from_secs(ttl.into()),
    })
}

fn take(record: &Record, records: &mut Records, aliases: &mut Vec<DnsName>) {
    match (&record.data, records) {
        (RData::A(a), Records::A(list)) => list.push(a.0),
        (RData::AAAA(aaaa), Records::Aaaa(list)) => list.push(aaaa.0),
        (RData::MX(mx), Records::Mx(list)) => list.push(MxRecord {
            preference: mx.preference,
            exchange: exchange(&mx.exchange),
        }),
        (RData::TXT(txt), Records::Txt(list)) => list.push(txt.txt_data.concat()),
        (RData::PTR(ptr), Records::Ptr(list)) => list.extend(name(&ptr.0)),
        (RData::CNAME(cname), _) => aliases.extend(name(&cname.0)),
        _ => {}
    }
}

fn exchange(host: &Name) -> Exchange {
    if host.is_root() {
        return Exchange::Root;
    }
    name(host).map_or_else(|| Exchange::Bad(host.to_ascii()), Exchange::Host)
}

fn name(name: &Name) -> Option<DnsName> {
    DnsName::parse(&name.to_ascii()).ok()
}

/// Aliases followed for one question.
const ALIASES_MAX: usize = 8;

#[cfg(test)]
mod tests;
