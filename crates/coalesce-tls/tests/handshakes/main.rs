//! Makes real handshakes between this crate's acceptor and rustls clients, or raw bytes.

mod alternatives;
mod client_certificates;
mod common;
mod failures;
mod hostile;
mod policies;
mod resumption;
mod selection;
