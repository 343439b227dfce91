//! The DNS servers of the machine, asked by `hickory`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::net::{DnsError as WireError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig, system_conf};
use mailtypes::dns::{Answer, DnsError, Kind, Question};
use tokio::time::Instant;

use self::chain::Chain;
use super::Dns;

mod chain;

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
    pool: RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>,
    asking: DnsRequestOptions,
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
        let options = options(settings);
        let mut asking = DnsRequestOptions::default();
        asking.use_edns = options.edns0;
        asking.edns_payload_len = options.edns_payload_len;
        let attempts = options.attempts;
        let tls = TlsConfig::new().map_err(|error| DnsError::Network(error.to_string()))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let provider = TokioRuntimeProvider::default();
        let pool = NameServerPool::from_config(servers, context, provider);
        Ok(Self {
            pool: RetryDnsHandle::new(pool, attempts),
            asking,
            names: names.join(", "),
            lookup_timeout: settings.lookup_timeout,
        })
    }

    async fn ask(&self, question: &Question) -> Result<Answer, DnsError> {
        let began = Instant::now();
        let malformed = || DnsError::Malformed(format!("{} is no name", question.name));
        let mut name = Name::from_ascii(question.name.as_str()).map_err(|_| malformed())?;
        name.set_fqdn(true);
        // Our own search for the end of aliases: the resolver of hickory takes a loop for an empty
        // answer, and that would mean something else.
        let mut chain = Chain::new(name);
        loop {
            let query = Query::query(chain.end().clone(), wire_type(question.kind));
            match self.pool.lookup(query, self.asking).first_answer().await {
                Ok(response) => {
                    if let Some(answer) = chain.follow(question.kind, &response)? {
                        return Ok(answer);
                    }
                }
                Err(NetError::Dns(error)) => {
                    let answer = self.negative(question, &error)?;
                    return Ok(chain.with_aliases(answer));
                }
                Err(NetError::Timeout) => return Err(timeout(began)),
                Err(NetError::Proto(error)) => return Err(DnsError::Malformed(error.to_string())),
                Err(error) => return Err(DnsError::Network(error.to_string())),
            }
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
    let secs = began.elapsed().as_secs_f64().round().max(1.0);
    DnsError::Timeout(Duration::from_secs_f64(secs))
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
    options.max_active_requests = 256;
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

#[cfg(test)]
mod tests;
