//! Rigs that more than one crate's tests need: worlds, transcripts, a simulation.

mod server;
pub mod sim;
pub mod transcript;
mod world;

pub use world::World;
