//! Asking the DNS.
//!
//! [`Dns`] is all that the others know of it. A [`Resolver`] asks the servers of the machine (the
//! wire belongs to a library) behind a [`Cache`]; a [`MapDns`] answers from a map, for tests.

mod cache;
mod double;
mod metrics;
mod servers;

use mailtypes::dns::{Answer, DnsError, Question};

pub use cache::Cache;
pub use double::MapDns;
pub use metrics::Metrics;
pub use servers::{DnsSettings, Servers};

use crate::Clock;

/// Somebody who answers questions about names.
pub trait Dns: Clone + Send + Sync + 'static {
    /// Answers a question. Ends in bounded time.
    fn lookup(&self, question: Question) -> impl Future<Output = Result<Answer, DnsError>> + Send;
}

/// The servers of the machine behind a cache.
pub type Resolver = Cache<Servers>;

/// A resolver as the settings have it.
pub fn resolver(settings: &DnsSettings, clock: Clock) -> Result<Resolver, DnsError> {
    Ok(Cache::new(Servers::new(settings)?, clock))
}
