//! Delivery to other servers by SMTP.
//!
//! A worker ([`visit`]) serves one next hop: it takes jobs, reaches a host ([`reach`]), hands the
//! messages over ([`handover`], [`connection`]) and tells what came of each recipient. What an
//! answer means is decided in [`judge`].

mod addresses;
pub(crate) mod bag;
mod connection;
mod endpoints;
mod handover;
pub(crate) mod job;
mod judge;
mod message;
mod reach;
pub(crate) mod resolve;
pub(crate) mod trail;
pub(crate) mod visit;

pub(crate) use addresses::Addresses;
pub(crate) use message::{Ahead, Source};
