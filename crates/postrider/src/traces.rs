//! Traces: spans of sessions, messages and attempts, sent to an OpenTelemetry collector.
//!
//! The crates below make the spans, with the target "traces"; nothing else is sent, so that sending
//! cannot trace itself. Nobody waits for the collector: a span that finds no room is lost, and the
//! log tells how many were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use net::Clock;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::Endpoint;
use limits::{FLUSH_TIMEOUT, QUEUE_MAX};
use queue::Queue;
use send::Sender;

mod limits;
mod post;
mod queue;
mod send;

/// The target of spans that are traces; they are in no log.
pub(crate) const TARGET: &str = "traces";

/// Spans that have ended, before somebody sends them.
pub(crate) struct Traces {
    endpoint: Endpoint,
    resource: Resource,
    spans: mpsc::Receiver<SpanData>,
    lost: Lost,
}

impl Traces {
    /// The layer that turns spans into traces, and what it has made of them.
    pub(crate) fn new<S>(endpoint: &Endpoint) -> (impl Layer<S> + use<S>, Self)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let (sender, spans) = mpsc::channel(QUEUE_MAX);
        let lost = Lost::default();
        let resource = Resource::builder_empty()
            .with_service_name("postrider")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_span_processor(Queue::new(sender, lost.clone()))
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("postrider"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(|metadata| metadata.target() == TARGET));
        let traces = Self {
            endpoint: endpoint.clone(),
            resource,
            spans,
            lost,
        };
        (layer, traces)
    }

    /// Begins to send.
    pub(crate) fn send(self, clock: Clock) -> Sending {
        tracing::info!(endpoint = %self.endpoint, "sending traces");
        let (stop, stopped) = oneshot::channel();
        let lost = self.lost.clone();
        let task = tokio::spawn(Sender::new(self, clock).run(stopped));
        Sending { stop, task, lost }
    }
}

/// Traces that are being sent.
pub(crate) struct Sending {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    lost: Lost,
}

impl Sending {
    /// Sends what is left, as far as a few seconds suffice.
    pub(crate) async fn end(self) {
        // Nobody hears it when the task has ended.
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        let late = tokio::time::timeout(FLUSH_TIMEOUT, self.task)
            .await
            .is_err();
        abort.abort();
        let lost = self.lost.take();
        if late || lost > 0 {
            tracing::warn!(lost, "the last traces could not all be sent");
        }
    }
}

/// How many spans were lost that nobody has been told about.
#[derive(Clone, Debug, Default)]
struct Lost(Arc<AtomicU64>);

impl Lost {
    fn add(&self, spans: usize) {
        self.0.fetch_add(spans as u64, Ordering::Relaxed);
    }

    fn is_some(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
