//! Sockets, clock, connection limits: the lowest crate that runs on tokio
