//! Sends spans in batches, and bears with a collector that is down, slow or refuses.

use hyper::body::Bytes;
use mailtypes::Timestamp;
use net::Clock;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::trace::SpanData;
use prost::Message;
use tokio::sync::{mpsc, oneshot};

use super::limits::{BATCH_MAX, GATHER, PAUSE_FIRST, PAUSE_MAX, WARN_EVERY};
use super::post::{Collector, PostError};
use super::{Lost, Traces};

/// The one who sends.
pub(super) struct Sender {
    spans: mpsc::Receiver<SpanData>,
    resource: ResourceAttributesWithSchema,
    collector: Collector,
    lost: Lost,
    clock: Clock,
    /// When it was told last that something is wrong.
    warned: Option<Timestamp>,
    /// Nothing gets through, and that was told.
    down: bool,
}

impl Sender {
    pub(super) fn new(traces: Traces, clock: Clock) -> Self {
        Self {
            spans: traces.spans,
            resource: ResourceAttributesWithSchema::from(&traces.resource),
            collector: Collector::new(traces.endpoint),
            lost: traces.lost,
            clock,
            warned: None,
            down: false,
        }
    }

    /// Works until told to stop, and then until nothing is left or the collector fails.
    pub(super) async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let mut at_hand = None;
        tokio::select! {
            biased;
            _ = &mut stop => {}
            () = self.work(&mut at_hand) => return,
        }
        self.finish(at_hand).await;
    }

    /// Sends without end. `at_hand` is the batch that is being sent.
    async fn work(&mut self, at_hand: &mut Option<Batch>) {
        loop {
            let mut spans = Vec::new();
            if self.spans.recv_many(&mut spans, BATCH_MAX).await == 0 {
                return;
            }
            let is_full = spans.len() == BATCH_MAX;
            let batch = at_hand.insert(Batch::new(spans, &self.resource));
            self.deliver(batch).await;
            *at_hand = None;
            if !is_full {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    /// Tries until the collector has it or will not have it.
    async fn deliver(&mut self, batch: &Batch) {
        let mut pause = PAUSE_FIRST;
        while let Err(error) = self.post(batch).await {
            self.down |= self.tell(&error.to_string());
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if self.down {
            self.down = false;
            tracing::info!(lost = self.lost.take(), "traces are sent again");
        } else if self.lost.is_some() {
            self.tell("there are more than the collector takes");
        }
    }

    /// What is left, each once. Gives up at the first failure: the server wants to end.
    async fn finish(&mut self, mut at_hand: Option<Batch>) {
        self.spans.close();
        loop {
            let batch = match at_hand.take() {
                Some(batch) => batch,
                None => {
                    let mut spans = Vec::new();
                    if self.spans.recv_many(&mut spans, BATCH_MAX).await == 0 {
                        return;
                    }
                    Batch::new(spans, &self.resource)
                }
            };
            if self.post(&batch).await.is_err() {
                self.lost.add(batch.len + self.spans.len());
                return;
            }
        }
    }

    /// Sends a batch once. What the collector will never have is lost, and that is all right.
    async fn post(&mut self, batch: &Batch) -> Result<(), PostError> {
        match self.collector.post(batch.body.clone()).await {
            Ok(0) => {}
            Ok(refused) => {
                self.lost.add(refused);
                self.tell("the collector refuses some");
            }
            Err(error @ PostError::Refused(_)) => {
                self.lost.add(batch.len);
                self.tell(&error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Says what is wrong; false when something was said just now.
    fn tell(&mut self, why: &str) -> bool {
        let now = self.clock.now();
        let is_over = |at: Timestamp| now.since(at) >= WARN_EVERY;
        if !self.warned.is_none_or(is_over) {
            return false;
        }
        self.warned = Some(now);
        tracing::warn!(why, lost = self.lost.take(), "traces cannot be sent");
        true
    }
}

/// A request to make.
struct Batch {
    body: Bytes,
    len: usize,
}

impl Batch {
    fn new(spans: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Self {
        let len = spans.len();
        let resource_spans = group_spans_by_resource_and_scope(spans, resource);
        let request = ExportTraceServiceRequest { resource_spans };
        Self {
            body: request.encode_to_vec().into(),
            len,
        }
    }
}
