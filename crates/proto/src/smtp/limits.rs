//! The limits of a conversation, with their units.

use std::time::Duration;

/// Octets before the `@`, quotes included. RFC 5321 §4.5.3.1.1
pub const LOCAL_PART_LEN_MAX: usize = 64;
/// Octets of a domain or an address literal. RFC 5321 §4.5.3.1.2
pub const DOMAIN_LEN_MAX: usize = 255;
/// Octets of a path with its angle brackets and its route. RFC 5321 §4.5.3.1.3
pub const PATH_LEN_MAX: usize = 256;
/// Octets of a command line with its CRLF, before extensions add to it. RFC 5321 §4.5.3.1.4
pub const COMMAND_LINE_LEN_MAX: usize = 512;
/// Octets of one line of a reply with code and CRLF. RFC 5321 §4.5.3.1.5
pub const REPLY_LINE_LEN_MAX: usize = 512;
/// Octets of a line of text with its CRLF. Real mail has longer ones: they are taken as they
/// come and told in `BodyFacts::longest_line`. RFC 5321 §4.5.3.1.6
pub const TEXT_LINE_LEN_MAX: usize = 1000;
/// Recipients that a server must take in one envelope. RFC 5321 §4.5.3.1.8
pub const RECIPIENTS_MIN: usize = 100;

/// How long a server waits for a command. RFC 5321 §4.5.3.2.7
pub const COMMAND_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a server waits for a block of data. RFC 5321 §4.5.3.2.5
pub const BODY_TIMEOUT: Duration = Duration::from_mins(3);
/// How long one session may last in all.
pub const SESSION_TIMEOUT: Duration = Duration::from_hours(4);
/// Octets per second that a body must keep up. An octet now and then, which a plain silence
/// timer lets live for ever, uses up [`BODY_TIMEOUT`] instead.
pub const BODY_PACE_MIN: u64 = 100;

/// Octets in one piece of body handed to the caller, at most.
pub const BODY_CHUNK_MAX: usize = 64 * 1024;
/// Octets that a client may go on sending of a body that is too large, as a multiple of the size
/// limit, before the connection is cut instead of read to its end.
pub const BODY_OVERRUN_FACTOR: u64 = 2;
/// Octets on top of [`BODY_OVERRUN_FACTOR`], so that a tiny size limit leaves room too.
pub const BODY_OVERRUN_EXTRA: u64 = 64 * 1024;
/// Octets of replies that are gathered before they must go out.
pub const REPLIES_GATHERED_MAX: usize = 4096;

/// Octets of one line of a server's reply with CRLF: more than RFC 5321 §4.5.3.1.5 allows, since
/// servers are found that send more.
pub const SERVER_REPLY_LINE_LEN_MAX: usize = 4096;
/// Lines of one reply of a server; with more it does not speak SMTP.
pub const SERVER_REPLY_LINES_MAX: usize = 500;
/// Lines of one reply of a server that are kept.
pub const SERVER_REPLY_LINES_KEPT: usize = 50;
/// Octets of text of one reply of a server that are kept; EHLO has the longest ones that matter.
pub const SERVER_REPLY_TEXT_KEPT: usize = 4096;
/// Recipients told to a server before its replies are waited for, so that neither side fills the
/// pipe of the other. RFC 2920 §3.1
pub const RCPT_PIPELINED_MAX: usize = 100;
/// Octets of a body that a client gathers before they are written; less waits for more.
pub const CLIENT_WRITE_LEN: usize = 64 * 1024;
/// Octets of a body that must go out within the time for a block of data; then it begins anew. An
/// octet now and then, which a plain timer of each write lets live for ever, uses it up.
/// RFC 5321 §4.5.3.2.5
pub const CLIENT_BLOCK_LEN: u64 = 16 * 1024;
/// How long a client waits for a server to go that has said no within a body; one that stays is not
/// believed.
pub const CLIENT_LEAVE_WAIT: Duration = Duration::from_secs(5);
/// Commands and replies that a client remembers until it is asked for them, the first ones: a
/// transaction with [`RCPT_PIPELINED_MAX`] recipients, and what goes before and behind these.
pub const EXCHANGES_MAX: usize = RCPT_PIPELINED_MAX + 20;
