//! With traces or without, the lines are the same.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Dispatch;

use super::*;

/// Works with a subscriber, and with no other one beside it: which of them wants a span is remembered
/// for all threads together, and tests that come and go at a time spoil that for each other.
pub(crate) fn alone<T>(subscriber: impl Into<Dispatch>, work: impl FnOnce() -> T) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    tracing::dispatcher::with_default(&subscriber.into(), work)
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// What was written, without the time that each line begins with.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let without_time = |line: &str| match line.split_once("\"level\"") {
            Some((_, rest)) => rest.to_owned(),
            None => line.split_once(' ').unwrap().1.to_owned(),
        };
        text.lines().map(without_time).collect()
    }
}

/// A session as the server has it: log lines within spans of the log and of traces.
fn session() {
    let _session = tracing::info_span!(target: "traces", "smtp session", of = "traces").entered();
    let _smtp = tracing::info_span!("smtp", session = 1, peer = "192.0.2.1").entered();
    tracing::info!(target: "mail", id = 7, "queued");
    let message = tracing::info_span!(target: "traces", "message", size = tracing::field::Empty);
    message.in_scope(|| {
        message.record("size", 5);
        tracing::warn!(why = "full", "within a message");
        tracing::debug!("details");
    });
    tracing::info!(target: "traces", "an event by mistake");
}

fn written(form: LogForm, filter: &str, with_traces: bool) -> Vec<String> {
    let written = Written::default();
    let out = written.clone();
    let mut layers = vec![lines(form, EnvFilter::new(filter), move || out.clone())];
    if with_traces {
        let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
        layers.push(Traces::new(&endpoint).0.boxed());
    }
    alone(Registry::default().with(layers), session);
    written.lines()
}

/// As the log was before there were traces: what has the target "traces" left out.
fn before(form: LogForm, filter: &str) -> Vec<String> {
    let written = Written::default();
    let out = written.clone();
    let filter = EnvFilter::new(format!("{filter},traces=off"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || out.clone());
    match form {
        LogForm::Text => alone(builder.with_ansi(false).finish(), session),
        LogForm::Json => {
            let builder = builder.json().flatten_event(true).with_span_list(false);
            alone(builder.finish(), session);
        }
    }
    written.lines()
}

#[test]
fn lines_are_as_they_were() {
    for form in [LogForm::Text, LogForm::Json] {
        for (filter, count) in [("info", 2), ("trace", 3), ("warn", 1), ("off", 0)] {
            let wanted = before(form, filter);
            assert_eq!(wanted.len(), count, "{form:?} {filter}: {wanted:?}");
            for with_traces in [false, true] {
                assert_eq!(
                    written(form, filter, with_traces),
                    wanted,
                    "{form:?}, {filter}, {with_traces}"
                );
            }
        }
    }
    let text = &written(LogForm::Text, "info", true)[0];
    let wanted = " INFO smtp{session=1 peer=\"192.0.2.1\"}: mail: queued id=7";
    assert_eq!(text, wanted);
}

#[test]
fn who_asks_for_traces_in_the_log_gets_none() {
    assert_eq!(written(LogForm::Text, "traces=trace", true).len(), 0);
}

#[test]
fn nobody_records_spans_of_traces_without_an_endpoint() {
    for (filter, with_traces, wanted) in [
        ("trace", false, false),
        ("trace", true, true),
        ("off", true, true),
    ] {
        let mut layers = vec![lines(LogForm::Text, EnvFilter::new(filter), io::sink)];
        if with_traces {
            let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
            layers.push(Traces::new(&endpoint).0.boxed());
        }
        let subscriber = Registry::default().with(layers);
        alone(subscriber, || {
            let span = tracing::info_span!(target: "traces", "message");
            assert_eq!(!span.is_disabled(), wanted, "{filter}, {with_traces}");
        });
    }
}

#[test]
fn a_word_that_is_no_level_does_not_silence_the_log() {
    for (filter, lines) in [
        ("", 2),
        (" ,", 2),
        ("info", 2),
        ("DEBUG", 3),
        ("off", 0),
        ("info, mail=off", 1),
        ("warn,mail=info", 2),
        ("info,[smtp]=debug", 3),
    ] {
        let out = Written::default();
        let into = out.clone();
        let layer = super::lines(LogForm::Text, wanted(filter).unwrap(), move || into.clone());
        alone(Registry::default().with(layer), session);
        assert_eq!(out.lines().len(), lines, "{filter:?}");
    }
    for (bad, why) in [
        ("nonsense", "`nonsense` is no level"),
        ("info,stroe", "`stroe` is no level"),
        ("store=loud", ""),
    ] {
        let said = wanted(bad).unwrap_err();
        assert!(said.contains(why), "{bad}: {said}");
    }
}
