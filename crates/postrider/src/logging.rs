//! The log: to stderr, for people or for programs. The fates of messages have the target "mail".

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogForm;

/// Starts the log; once per process.
pub(crate) fn start(form: LogForm) {
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match form {
        LogForm::Text => builder.with_ansi(false).try_init(),
        LogForm::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    // It fails only when there is a log already.
    drop(started);
}

/// The variable that asks for more or less.
const FILTER: &str = "POSTRIDER_LOG";
const DEFAULT: &str = "info";
