//! Header fields, Received, Return-Path, dates: the bytes of a message.
//!
//! Everything here is a pure function or a value that is fed: no files, no sockets, no clock.
//! [`HeaderScan`] looks at a message as it streams by; [`Received`], [`return_path`] and
//! [`delivered_to`] write the fields that a server adds; [`cut`] tells what is left of a message
//! when fields are taken out; [`date`] writes times for mail and for people.

pub mod cut;
pub mod date;
pub mod delivered_to;
pub mod dsn;
mod header_scan;
mod received;
pub mod return_path;

pub use header_scan::{
    DELIVERED_TO_MAX, HeaderFacts, HeaderScan, KEPT_VALUE_LEN_MAX, RETURN_PATH_MAX,
};
pub use received::Received;
