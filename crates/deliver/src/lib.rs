//! The scheduler and the ways out of the queue.
//!
//! A [`Deliverer`] takes due recipients from the store and brings each one step further. What needs
//! no network goes through `here.rs`: mailboxes, Maildirs, reports to senders. The rest goes
//! through `away.rs`: by [`NextHop`] to workers that speak SMTP (`remote/`). What became of an
//! attempt is told to the `recorder`. Everything that is decided, is decided by pure functions:
//! `route/`, `remote/judge.rs`, `outcome.rs`, [`Schedule`].

mod away;
mod deliverer;
mod endings;
mod explain;
mod fate;
mod forgive;
mod here;
mod kept;
mod late;
pub mod limits;
mod local;
mod maildir;
mod metrics;
mod outcome;
mod patience;
mod recorder;
mod remote;
mod reports;
mod route;
mod schedule;
mod settings;
mod shared;
mod sites;
mod suspects;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod traces;

pub use deliverer::{Deliverer, Handle, OWNER};
pub use explain::{Explained, explain_route};
pub use kept::{Kept, KeptView};
pub use metrics::Metrics;
pub use route::mx::Own;
pub use route::next_hop::{BadNextHop, HopHost, NextHop};
pub use route::table::{Pattern, Routes, Way};
pub use schedule::Schedule;
pub use settings::Settings;
pub use sites::Limits;
