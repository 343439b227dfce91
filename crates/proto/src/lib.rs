//! Mail protocols as state machines: bytes and time in, events and bytes out
