//! Limits of the store, with their units.

use std::time::Duration;

/// A body up to this size waits in memory and joins the group append, in octets.
pub const DRAFT_MEMORY_MAX: usize = 256 * 1024;
/// All drafts in memory together, in octets; beyond it drafts go to disk early.
pub const DRAFTS_MEMORY_MAX: usize = 64 * 1024 * 1024;
/// Messages kept in memory between their acceptance and their first opening, in octets.
pub const FRESH_MEMORY_MAX: usize = 16 * 1024 * 1024;
/// A draft on disk is forced down each time this many octets have come.
pub const DRAFT_SYNC_EVERY: u64 = 32 * 1024 * 1024;
/// A segment of the body log takes no new body beyond this size, in octets.
pub const SEGMENT_LEN_MAX: u64 = 64 * 1024 * 1024;
/// Files of dead segments that are kept, to be written once more.
pub const SPARES_MAX: usize = 2;
/// None is kept when new mail has less room than this, in octets.
pub const SPARES_ROOM_MIN: u64 = 2 * 1024 * 1024 * 1024;
/// The orders of one turn weigh at most so much, in octets: bodies and what is written of them. A
/// heavier order goes alone.
pub const TURN_OCTETS_MAX: usize = 1024 * 1024;
/// The writer takes at most this many requests in one turn.
pub const TURN_REQUESTS_MAX: usize = 256;
/// Messages that have just come in and have no rows yet; beyond it the oldest get theirs.
pub(crate) const YOUNG_MAX: usize = 1024;
/// What the journal promises is committed after so long.
pub const COMMIT_EVERY: Duration = Duration::from_millis(500);
/// And when there are so many octets of it, so that a start has little to repeat.
pub const COMMIT_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Requests that may wait for the writer; more wait in front of the door.
pub const WRITER_QUEUE_MAX: usize = 4096;
/// Local recipients of one delivery request, so that other work gets in between.
pub const FAN_OUT_MAX: usize = 100;
/// Below this much free space (or 5 % of the disk, whichever is less) new mail is put off, in octets.
pub const DISK_RESERVE: u64 = 256 * 1024 * 1024;
/// And below this on the smallest disk: what is promised and the WAL have to find room in the database.
pub const DISK_RESERVE_MIN: u64 = 32 * 1024 * 1024;
/// Octets of a disk that are kept for the end of each recipient in the queue: its story grows by that.
pub const END_LEN: u64 = 1024;
/// How old a reading of the free space may be.
pub const SPACE_AGE_MAX: Duration = Duration::from_millis(100);
/// Attempts that one call marks as in hand.
pub const BEGIN_MAX: usize = 1000;
/// Times that the delivery of a message may bring down a worker or the server before it is held.
pub const STRIKES_MAX: u32 = 2;
/// Rows of any list that one call answers.
pub const PAGE_MAX: usize = 1000;
/// Problems that an audit or a check lists; more are counted.
pub const PROBLEMS_MAX: usize = 1000;
/// Entries of the directory cache; a full cache is emptied.
pub const DIRECTORY_CACHE_MAX: usize = 100_000;
/// Ages of messages in the queue that a census counts.
pub const CENSUS_AGES: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
    Duration::from_hours(24),
];
/// Threads that read.
pub const READERS: usize = 2;
/// The WAL grows to about this size before a checkpoint is asked for, in octets.
pub const WAL_CHECKPOINT: u64 = 8 * 1024 * 1024;
/// Beyond this size, or a quarter of what is free, a checkpoint tries to start the WAL anew at its front,
/// in octets.
pub const WAL_LEN_MAX: u64 = 256 * 1024 * 1024;
/// Rows of finished stories deleted in one turn.
pub const RETAIN_GROUP: usize = 500;
/// How long a finished story is kept, counted from its end.
pub const HISTORY_AGE: Duration = Duration::from_hours(30 * 24);
/// Finished stories kept at most; older ones go early.
pub const HISTORY_ITEMS_MAX: u64 = 10_000_000;
/// A closed segment with less than this share of live octets is rewritten, in percent.
pub const COMPACT_BELOW_PERCENT: u64 = 50;
/// It waits so long for that: what passes through is gone by then, and the whole segment with it.
pub const COMPACT_AFTER: Duration = Duration::from_mins(2);
/// How often housekeeping looks for something to do.
pub const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(10);
/// Octets read from the body log at a time.
pub const READ_CHUNK: usize = 256 * 1024;
/// Longest time to a next attempt that a start believes.
pub(crate) const WAIT_MAX: Duration = Duration::from_hours(7 * 24);
