//! Metrics for Prometheus: `GET /metrics` in the OpenMetrics text format 1.0.0.
//!
//! What the parts of the server count by themselves stands in the registry; what lies in the queue is
//! counted when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus_client::registry::Registry;
use store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use queue::Queue;

mod queue;

/// What is asked: the registry, and the store behind it.
struct Page<S> {
    store: S,
    registry: Registry,
    /// One question at a time: a peer that asks without pause shall not keep all readers busy.
    queue: Arc<Mutex<Queue>>,
}

/// Answers on `listener` until it is dropped. A connection has a minute, and two seconds for each
/// request; there are no more than 256 at a time.
pub async fn serve<S: Store>(listener: TcpListener, store: S, mut registry: Registry) {
    let queue = Queue::default();
    queue.register(&mut registry);
    let page = Arc::new(Page {
        store,
        registry,
        queue: Arc::new(Mutex::new(queue)),
    });
    let router = Router::new()
        .route("/metrics", get(metrics::<S>))
        .with_state(page);
    let seats = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "metrics: accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            converse(stream, router).await;
            drop(seat);
        });
    }
}

async fn converse(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(REQUEST_LEN_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%error, "metrics: a conversation broke off"),
    }
}

async fn metrics<S: Store>(State(page): State<Arc<Page<S>>>) -> Response {
    match text(page).await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::warn!(error, "metrics cannot be given");
            (StatusCode::SERVICE_UNAVAILABLE, error).into_response()
        }
    }
}

async fn text<S: Store>(page: Arc<Page<S>>) -> Result<String, String> {
    let queue = Arc::clone(&page.queue).lock_owned().await;
    // Whoever asks may hang up meanwhile. Counting goes on then, and keeps its lock until it has ended.
    let counting = tokio::spawn(async move {
        let census = page.store.census().await;
        queue.set(&census.map_err(|error| error.to_string())?);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &page.registry)
            .map_err(|error| error.to_string())?;
        Ok(text)
    });
    counting.await.map_err(|error| error.to_string())?
}

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections at a time.
const CONNECTIONS_MAX: usize = 256;
/// For one connection; a scraper that keeps it opens another one after that.
const CONNECTION_TIMEOUT: Duration = Duration::from_mins(1);
/// Until a request has come. Clients that say nothing keep others waiting for no longer than this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// Octets of a request.
const REQUEST_LEN_MAX: usize = 16 * 1024;
/// After a failed accept, out of descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
