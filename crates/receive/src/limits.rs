//! Limits of receiving, with their units. Those of the protocol are in `proto::smtp::limits`.

use std::time::Duration;

/// A message with more `Received` fields than this goes in circles. RFC 5321 §6.3
pub const RECEIVED_MAX: u32 = 100;
/// Final recipients of one envelope, aliases followed.
pub const FINAL_RECIPIENTS_MAX: usize = 1000;
/// Aliases that are followed one behind the other.
pub const ALIAS_DEPTH_MAX: usize = 10;
/// Addresses that are looked up for one RCPT.
pub const LOOKUPS_MAX: usize = 5000;
/// Answers of the directory that are kept with an item as facts.
pub const FACTS_LOOKUPS_MAX: usize = 200;
/// Octets read from a client at a time; they lie on the stack, not in the session.
pub const READ_LEN: usize = 16 * 1024;
/// Replies wait for each other up to this many octets. RFC 2920 §3.2
pub const REPLIES_LEN_MAX: usize = 4 * 1024;
/// How long a client may take to take our replies.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the directory may take to answer.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the store may take to make a message durable: less than the ten minutes that a client
/// waits. RFC 5321 §4.5.3.2.6
pub const STORE_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a body that is on its way may go on when the server stops.
pub const STOP_GRACE: Duration = Duration::from_secs(20);
/// How long we wait for a client to hang up after our last reply, so that it gets to read it.
pub const LINGER: Duration = Duration::from_secs(1);
/// Octets thrown away while we wait for that.
pub const LINGER_LEN_MAX: usize = 1024 * 1024;
