//! The log: to stderr, for people or for programs. The fates of messages have the target "mail".
//!
//! Traces are made of spans that the log does not show.

use std::io;

use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Endpoint, LogForm};
use crate::traces::{self, Traces};

/// Starts the log, once per process; with an endpoint the traces too, which wait for somebody who
/// sends them.
pub(crate) fn start(form: LogForm, endpoint: Option<&Endpoint>) -> Option<Traces> {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let mut layers = vec![lines(form, filter, io::stderr)];
    let traces = endpoint.map(|endpoint| {
        let (layer, traces) = Traces::new(endpoint);
        layers.push(layer.boxed());
        traces
    });
    // It fails only when there is a log already.
    drop(Registry::default().with(layers).try_init());
    traces
}

type AnyLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Writes lines. Spans that are traces neither begin nor end there, and stand in no line.
fn lines<W>(form: LogForm, filter: EnvFilter, writer: W) -> AnyLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.and(filter_fn(|metadata| metadata.target() != traces::TARGET));
    let layer = fmt::layer().with_writer(writer);
    match form {
        LogForm::Text => layer.with_ansi(false).with_filter(filter).boxed(),
        LogForm::Json => layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    }
}

/// The variable that asks for more or less.
const FILTER: &str = "POSTRIDER_LOG";
const DEFAULT: &str = "info";

#[cfg(test)]
pub(crate) mod tests;
