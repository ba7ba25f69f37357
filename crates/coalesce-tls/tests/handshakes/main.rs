//! Real handshakes, between this crate's acceptor and rustls clients or bytes on a wire.

mod alternatives;
mod client_certificates;
mod common;
mod failures;
mod hostile;
mod policies;
mod resumption;
mod selection;
