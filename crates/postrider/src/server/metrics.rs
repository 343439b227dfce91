//! All that is counted, under one name, and the port where it is shown.

use net::dns;
use net::listen::{self, BindError};
use net::{Clock, Gate};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use store::Embedded;
use tokio::task::{JoinError, JoinHandle};

use super::process::Process;
use super::sockets::of_bind;
use crate::config::Config;
use crate::failure::{Failure, code};

/// The parts of a server that count.
pub(super) struct Counting {
    pub(super) receive: receive::Metrics,
    pub(super) deliver: deliver::Metrics,
    pub(super) dns: dns::Metrics,
    pub(super) store: store::Metrics,
    pub(super) gate: Gate,
}

impl Counting {
    fn registry(&self, clock: &Clock) -> Registry {
        let mut all = Registry::default();
        let ours = all.sub_registry_with_prefix("postrider");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        ours.register("build", "The program that runs", version);
        self.receive.register(ours);
        self.deliver.register(ours);
        self.store.register(ours);
        self.dns.register(ours);
        ours.register_collector(Box::new(Connections(self.gate.clone())));
        all.register_collector(Box::new(Process::new(clock.now())));
        all
    }
}

/// Shows what is counted where the configuration says so.
pub(super) fn start(
    config: &Config,
    store: &Embedded,
    clock: &Clock,
    counting: &Counting,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let Some(address) = config.metrics_listen else {
        return Ok(None);
    };
    let socket = listen::bind(address).map_err(|error| not_bound(&error))?;
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    tracing::info!(address = %listener.local_addr()?, "showing metrics");
    let registry = counting.registry(clock);
    let serving = admin::metrics::serve(listener, store.clone(), registry);
    Ok(Some(tokio::spawn(serving)))
}

/// Unlike the ports of `listen` this one is opened by whoever serves, when the rights of root are gone.
fn not_bound(error: &BindError) -> Failure {
    match error {
        BindError::Permission(address) => Failure::new(
            code::NOPERM,
            format!("no permission to listen on {address} for metrics"),
            "choose a port above 1023: this one is opened without the rights of root",
        ),
        _ => of_bind(error),
    }
}

/// Resolves when they end by themselves; never, where nobody has asked for them.
pub(super) async fn ended(showing: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match showing {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// How many clients are connected.
#[derive(Debug)]
struct Connections(Gate);

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let open = ConstGauge::new(i64::try_from(self.0.total()).unwrap_or(i64::MAX));
        let into: MetricEncoder<'_> = encoder.encode_descriptor(
            "smtp_connections",
            "Connections of clients that are open",
            None,
            MetricType::Gauge,
        )?;
        open.encode(into)
    }
}
