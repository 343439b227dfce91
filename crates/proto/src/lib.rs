//! Mail protocols as state machines: bytes and time in, events and bytes out.
//!
//! Nothing here knows a socket, a file or a clock. A conversation is a value: whoever holds it
//! carries octets and times to it, and answers its events.

pub mod smtp;
