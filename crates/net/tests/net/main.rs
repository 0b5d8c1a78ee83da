//! The transport over real sockets on this machine: who gets through a handshake, what happens to
//! frames, and how neighbours are found.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in test functions, not in their helpers

mod discovery;
mod early;
mod frames;
mod handshake;
mod links;
mod support;
mod tcp;
