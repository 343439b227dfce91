//! SMTP: the words that both sides share, and the server side as a machine. RFC 5321
//!
//! [`Server`] is the way in. The grammar ([`Command`], [`Reply`], paths and parameters) stands in
//! files of its own, since a client needs the same words.

mod body;
pub mod client;
mod client_name;
mod command;
mod event;
mod extensions;
pub mod limits;
mod line;
mod parameters;
mod path;
mod reply;
mod server;
mod settings;
mod verb;

pub use client_name::{BadClientName, ClientName};
pub use command::{Command, Problem, SyntaxError};
pub use event::{BodyFacts, Event, Step};
pub use parameters::{BadParameters, Parameter, Parameters};
pub use path::{BadPath, forward_path, reverse_path};
pub use reply::Reply;
pub use server::Server;
pub use settings::{LineEnds, Settings};
pub use verb::Verb;
