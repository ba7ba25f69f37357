//! The answers to served requests.

mod answers;
mod body;
mod client_certificate;
mod folder;
mod pace;
mod pool;
mod regular_files;
mod reply;
mod text;
mod upstream;
mod upstream_connection;
mod upstream_fields;

pub(super) use answers::Answers;
pub(super) use client_certificate::ClientCertificate;
pub(super) use reply::{Peer, Reply};
