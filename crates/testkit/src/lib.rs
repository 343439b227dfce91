//! Rigs that more than one crate's tests need: worlds, transcripts, programs under test

pub mod transcript;
mod world;

pub use world::World;
