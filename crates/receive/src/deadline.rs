//! Every wait has a deadline.

use std::future::Future;
use std::time::Duration;

use net::Clock;

/// Waits for `work`, but not longer than `limit`. The timer costs nothing when `work` is ready.
pub(crate) async fn within<T>(
    clock: &Clock,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = clock.sleep_until(clock.now() + limit) => None,
    }
}
