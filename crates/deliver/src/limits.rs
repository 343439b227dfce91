//! Limits of delivery, with their units.

use std::time::Duration;

/// Due recipients in memory at a time.
pub const WINDOW: usize = 500;
/// Recipients that wait in memory after a failure of our own store; with more of them the whole
/// deliverer pauses. With [`WINDOW`] it makes one page of the store.
pub const WAITING_MAX: usize = 500;
/// The first pause after a failure of our own store; it doubles.
pub const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause after a failure of our own store.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Failures of our own store for one recipient before it leaves the front of the queue and comes
/// back by the schedule, like mail for a server that is down.
pub const LOCAL_TRIES_MAX: u32 = 8;
/// The queue is looked at this often even when nobody said that something came.
pub const POLL: Duration = Duration::from_secs(30);
/// The queue is not looked at more often than this when there is nothing to do.
pub const IDLE_MIN: Duration = Duration::from_millis(10);
/// How long a lease lasts; it is renewed when half of it is over.
pub const LEASE: Duration = Duration::from_mins(10);
