//! The real binary, with real files, sockets and signals.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod activation;
mod directory;
mod errors;
mod mail;
mod outgoing;
mod quickstart;
mod reload;
mod rights;
mod sandbox;
mod server;
mod stopping;
mod upgrade;
