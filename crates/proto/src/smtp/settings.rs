//! What all sessions of a listener share.

use std::time::Duration;

use super::limits;

/// How the server side behaves; one value for all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in the greeting and in the reply to EHLO.
    pub hostname: String,
    /// Octets of a message, at most (and at least 1: in RFC 1870 §4 a zero means no limit).
    pub size_max: u64,
    /// Recipients in one envelope; the next one gets 452 4.5.3.
    pub recipients_max: usize,
    /// Commands refused for good (5yz) in one session; then 421 4.7.0 and the end.
    pub errors_max: u32,
    /// What happens to a bare CR or LF in a body.
    pub line_ends: LineEnds,
    /// Silence before a command, and the time that one may take to arrive.
    pub command_timeout: Duration,
    /// Silence within a body. Slow octets use it up too, see [`limits::BODY_PACE_MIN`].
    pub body_timeout: Duration,
    /// The whole session.
    pub session_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            size_max: 50 * 1024 * 1024,
            recipients_max: 1000,
            errors_max: 50,
            line_ends: LineEnds::Refuse,
            command_timeout: limits::COMMAND_TIMEOUT,
            body_timeout: limits::BODY_TIMEOUT,
            session_timeout: limits::SESSION_TIMEOUT,
        }
    }
}

/// What happens to a bare CR or LF in a body.
///
/// Either way only `<CRLF>.<CRLF>` ends a body, and a command line ends in CRLF alone: an
/// upstream that lets a bare LF through inside an address must not give its users commands of
/// their own.
// RFC 5321 §2.3.8
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEnds {
    /// The message is refused with 550 5.5.2.
    #[default]
    Refuse,
    /// It becomes CRLF. No dot after it is taken away or ends anything.
    Repair,
}
