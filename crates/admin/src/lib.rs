//! Questions and orders of an operator, answered from the store.
//!
//! [`answer`] is the one place that turns a [`Request`] into an [`Answer`]. A running server calls
//! it for what comes in by its control socket ([`socket`]); the command line calls it on the files
//! of a stopped one. What a program reads with `--json` are the structs of [`view`].

mod answer;
/// The asking side of the control socket.
pub mod client;
/// What is counted, for Prometheus.
pub mod metrics;
/// Passwords: making readable ones, and hashing them.
pub mod password;
mod refusal;
mod request;
/// The answering side of the control socket.
pub mod socket;
/// What answers look like: the stable names of `--json`.
pub mod view;

pub use answer::{Addresses, Delivery, House, Reply, answer};
pub use refusal::{Kind, Refusal};
pub use request::{HashText, Line, Order, Request, VERSION, Which};
pub use view::Answer;
