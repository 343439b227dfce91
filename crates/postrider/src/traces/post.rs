//! One request to the collector: OTLP over HTTP with protobuf.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::net::TcpStream;

use super::limits::{ANSWER_LEN_MAX, POST_TIMEOUT};
use crate::config::Endpoint;

/// A collector, and the connection to it while there is one.
pub(super) struct Collector {
    endpoint: Endpoint,
    connection: Option<SendRequest<Full<Bytes>>>,
}

/// Why spans did not get there.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// Later perhaps.
    #[error("{0}")]
    Unreachable(String),
    /// Later perhaps: it says so.
    #[error("the collector answers {0}")]
    Busy(StatusCode),
    /// These never.
    #[error("the collector refuses them with {0}")]
    Refused(StatusCode),
}

impl Collector {
    pub(super) const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            connection: None,
        }
    }

    /// Sends a body; answers how many spans of it were refused.
    pub(super) async fn post(&mut self, body: Bytes) -> Result<usize, PostError> {
        let answer = tokio::time::timeout(POST_TIMEOUT, self.exchange(body)).await;
        let answer = answer.unwrap_or_else(|_| {
            let secs = POST_TIMEOUT.as_secs();
            let text = format!("the collector does not answer within {secs} s");
            Err(PostError::Unreachable(text))
        });
        if answer.is_err() {
            self.connection = None;
        }
        answer
    }

    async fn exchange(&mut self, body: Bytes) -> Result<usize, PostError> {
        let request = self.request(body)?;
        let connection = self.connected().await?;
        let answer = connection.send_request(request).await;
        judge(answer.map_err(unreachable)?).await
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, PostError> {
        let kept = match self.connection.take() {
            // One that the collector has closed is not ready.
            Some(mut kept) => kept.ready().await.is_ok().then_some(kept),
            None => None,
        };
        let connection = match kept {
            Some(kept) => kept,
            None => self.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, PostError> {
        let (host, port) = self.endpoint.connect_to();
        let stream = TcpStream::connect((host.as_str(), port)).await;
        let stream = TokioIo::new(stream.map_err(unreachable)?);
        let (connection, work) = handshake(stream).await.map_err(unreachable)?;
        // It ends with the connection, and what goes wrong the request is told.
        tokio::spawn(async move { drop(work.await) });
        Ok(connection)
    }

    fn request(&self, body: Bytes) -> Result<Request<Full<Bytes>>, PostError> {
        let host = HeaderValue::from_str(&self.endpoint.authority()).map_err(unreachable)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = hyper::Uri::from_static("/v1/traces");
        request.headers_mut().insert(HOST, host);
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        request.headers_mut().insert(CONTENT_TYPE, protobuf);
        Ok(request)
    }
}

/// Which answers mean that it is worth trying again, OTLP says.
async fn judge(answer: Response<Incoming>) -> Result<usize, PostError> {
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect();
    let body = body.await.map_err(unreachable)?.to_bytes();
    match status {
        _ if status.is_success() => Ok(refused(body)),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(PostError::Busy(status)),
        _ => Err(PostError::Refused(status)),
    }
}

/// How many spans a collector that has taken a request has not taken.
fn refused(body: Bytes) -> usize {
    // Whatever else it says is a success all the same.
    let said = ExportTraceServiceResponse::decode(body).unwrap_or_default();
    let refused = said.partial_success.map_or(0, |part| part.rejected_spans);
    usize::try_from(refused).unwrap_or(0)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives it so")]
fn unreachable(error: impl ToString) -> PostError {
    PostError::Unreachable(error.to_string())
}
