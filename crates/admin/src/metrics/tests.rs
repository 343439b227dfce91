use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Waker};

use mailtypes::Timestamp;
use prometheus_client::metrics::counter::Counter;
use store::{Embedded, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn store(folder: &Path) -> Embedded {
    let now = || Timestamp::from_millis(1_790_000_000_000);
    Embedded::open(folder, Options::new(Arc::new(now))).unwrap()
}

/// What a server with an empty queue says to these octets.
async fn said(octets: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let mut registry = Registry::default();
    let counter: Counter = Counter::default();
    counter.inc();
    registry.register("things", "Things", counter);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(serve(listener, store, registry));
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(octets.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    task.abort();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_has_what_was_counted_and_what_lies_in_the_queue() {
    let page = said("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("content-type: application/openmetrics-text; version=1.0.0"));
    for line in [
        "things_total 1",
        r#"postrider_queue_recipients{state="deferred"} 0"#,
        r#"postrider_queue_older_recipients{seconds="3600"} 0"#,
        r#"postrider_body_log_bytes{state="dead"} 0"#,
        "# EOF",
    ] {
        assert!(page.lines().any(|l| l == line), "{line} in {page}");
    }
}

/// A client that asks and hangs up, again and again, has the queue counted once at a time.
#[tokio::test]
async fn who_hangs_up_does_not_let_the_next_one_in() {
    let folder = tempfile::tempdir().unwrap();
    let page = Arc::new(Page {
        store: store(folder.path()),
        registry: Registry::default(),
        queue: Arc::default(),
    });
    let mut asked = Box::pin(text(Arc::clone(&page)));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(asked.as_mut().poll(&mut nobody).is_pending());
    drop(asked);
    assert!(page.queue.try_lock().is_err());
    let _counted = page.queue.lock().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_requests_are_refused() {
    let long = format!("GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(20_000));
    for (octets, status) in [
        (
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "404",
        ),
        (
            "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "405",
        ),
        ("EHLO x\r\n\r\n", "400"),
        (&long, "431"),
    ] {
        let answer = said(octets).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{octets}: {answer}"
        );
    }
}
