//! The log: to stderr, for people or for programs. The fates of messages have the target "mail".
//!
//! Traces are made of spans that the log does not show.

use std::io;

use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Endpoint, LogForm};
use crate::traces::{self, Traces};

/// Starts the log, once per process; with an endpoint the traces too, which wait for somebody who
/// sends them.
pub(crate) fn start(form: LogForm, endpoint: Option<&Endpoint>) -> Option<Traces> {
    let asked = std::env::var_os(FILTER);
    let asked = asked.as_ref().map(|asked| asked.to_string_lossy());
    let (filter, doubt) = match wanted(asked.as_deref().unwrap_or_default()) {
        Ok(filter) => (filter, None),
        Err(why) => (
            EnvFilter::default().add_directive(DEFAULT.into()),
            Some(why),
        ),
    };
    let mut layers = vec![lines(form, filter, io::stderr)];
    let traces = endpoint.map(|endpoint| {
        let (layer, traces) = Traces::new(endpoint);
        layers.push(layer.boxed());
        traces
    });
    // It fails only when there is a log already.
    drop(Registry::default().with(layers).try_init());
    if let Some(why) = doubt {
        tracing::warn!(%why, "{FILTER} is not understood; the log tells what it tells without it");
    }
    traces
}

/// What the log shows. A word by itself is a level: it would pass for a part of the program, of which
/// alone the log tells then, and a slip of the pen would silence it.
fn wanted(text: &str) -> Result<EnvFilter, String> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let word = |part: &&&str| !part.is_empty() && !part.contains(['=', '[']);
    let mut words = parts.iter().filter(word);
    if let Some(odd) = words.find(|word| word.parse::<LevelFilter>().is_err()) {
        return Err(format!(
            "`{odd}` is no level (off, error, warn, info, debug, trace); a part of the program stands \
             with its level behind that of all others, as in info,store=debug"
        ));
    }
    let builder = EnvFilter::builder().with_default_directive(DEFAULT.into());
    let parsed = builder.parse(parts.join(","));
    parsed.map_err(|error| error.to_string())
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
const DEFAULT: LevelFilter = LevelFilter::INFO;

#[cfg(test)]
pub(crate) mod tests;
