//! What sending traces may take.

use std::time::Duration;

/// Spans that wait to be sent; more are lost. About a KiB each.
pub(super) const QUEUE_MAX: usize = 4096;
/// Spans in one request.
pub(super) const BATCH_MAX: usize = 512;
/// How long spans are gathered after a request that was not full.
pub(super) const GATHER: Duration = Duration::from_secs(1);
/// A connection, a request and its answer.
pub(super) const POST_TIMEOUT: Duration = Duration::from_secs(10);
/// Octets of an answer.
pub(super) const ANSWER_LEN_MAX: usize = 64 << 10;
/// Before a request is made again; each further time twice as long.
pub(super) const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest such pause.
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Between two warnings that traces cannot be sent.
pub(super) const WARN_EVERY: Duration = Duration::from_mins(1);
/// How long a server that stops sends what is left.
pub(super) const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);
