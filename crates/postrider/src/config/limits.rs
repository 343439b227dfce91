//! Defaults and bounds of the keys, with their units.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Octets of a configuration file.
pub(crate) const FILE_LEN_MAX: u64 = 1024 * 1024;
/// Octets of one message, unless the file says otherwise.
pub(crate) const MESSAGE_SIZE_MAX: u64 = 50 * 1024 * 1024;
/// What `message_size_max` may be. RFC 5321 §4.5.3.1.7
pub(crate) const MESSAGE_SIZE_RANGE: RangeInclusive<u64> = 64 * 1024..=4 * 1024 * 1024 * 1024;
/// Recipients of one message, unless the file says otherwise.
pub(crate) const RECIPIENTS_MAX: usize = 1000;
/// What `recipients_max` may be: from what RFC 5321 §4.5.3.1.8 asks for to what one envelope holds.
pub(crate) const RECIPIENTS_RANGE: RangeInclusive<i64> = 100..=1000;
/// Connections at a time, unless the file says otherwise.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;
/// What the two `connections` keys may be.
pub(crate) const CONNECTIONS_RANGE: RangeInclusive<i64> = 1..=1_000_000;
/// Connections at a time from one address, unless the file says otherwise.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 100;
/// Refused commands before the end, unless the file says otherwise.
pub(crate) const ERRORS_MAX: u32 = 50;
/// What `errors_max` may be.
pub(crate) const ERRORS_RANGE: RangeInclusive<i64> = 1..=100_000;
/// What the timeouts may be.
pub(crate) const TIMEOUT_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24);
/// The times between two attempts.
pub(crate) const RETRY_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24);
/// Until a warning, and until a message is given up.
pub(crate) const LIFETIME_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(24 * 30);
/// Connections to other servers at a time, unless the file says otherwise.
pub(crate) const DELIVERIES_MAX: usize = 500;
/// Connections to one of them at a time, unless the file says otherwise.
pub(crate) const DELIVERIES_PER_HOST_MAX: usize = 20;
/// What the two `deliveries` keys may be.
pub(crate) const DELIVERIES_RANGE: RangeInclusive<i64> = 1..=100_000;
