//! The scheduler and the ways out of the queue.
//!
//! A [`Deliverer`] takes due recipients from the store and brings each one step further: into a
//! mailbox of ours (`local.rs`), or to another server (`remote.rs`: not in this version). What to
//! do with an outcome is decided by pure functions; when to try again is in [`schedule`].

mod deliverer;
mod fate;
pub mod limits;
mod local;
mod patience;
mod remote;
mod route;
pub mod schedule;

pub use deliverer::Deliverer;
