//! SMTP in: sessions, recipient policy, acceptance.
//!
//! A [`Receiver`] serves listeners. Each connection is a session (`session.rs`) that drives the
//! machine of `proto::smtp`; what the client wants is answered by the dialogue (`dialogue.rs`) in
//! three steps: gather facts, decide (pure: `recipient.rs`, `expand.rs`, `message_policy.rs`),
//! act. A message that was accepted is durable in the store before the client hears of it.

mod addressed;
mod deadline;
mod dialogue;
mod expand;
mod facts;
mod fate;
pub mod limits;
mod lookup;
mod message_policy;
mod metrics;
mod recipient;
mod relay;
mod server;
mod session;
mod settings;
mod shared;
mod traces;
mod transaction;
mod verdict;

pub use addressed::Policy;
pub use metrics::Metrics;
pub use relay::is_too_wide;
pub use server::Receiver;
pub use settings::Settings;
pub use shared::Phase;
