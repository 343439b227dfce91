//! What is taken up and what is not; that it arrives, `tests/rigs/traces.py` sees.

use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::logging::tests::alone;

#[test]
fn only_spans_of_traces_are_taken_and_what_has_no_room_is_counted() {
    let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
    let (layer, traces) = Traces::new(&endpoint);
    alone(Registry::default().with(layer), || {
        for _ in 0..QUEUE_MAX {
            tracing::info_span!(target: "hyper", "request").in_scope(|| tracing::info!("sent"));
        }
        assert_eq!(traces.spans.len(), 0);
        for _ in 0..QUEUE_MAX {
            tracing::info_span!(target: "traces", "message");
        }
        assert_eq!((traces.spans.len(), traces.lost.take()), (QUEUE_MAX, 0));
        for _ in 0..3 {
            tracing::info_span!(target: "traces", "message");
        }
        assert_eq!((traces.spans.len(), traces.lost.take()), (QUEUE_MAX, 3));
    });
}
