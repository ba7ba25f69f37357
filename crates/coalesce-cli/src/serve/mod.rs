//! `coalesce serve`: serves a configuration over HTTP/2 with TLS.
//!
//! The path of a request: [`server`] accepts its connection, [`connection`] makes the handshakes
//! and accepts the request, [`connection_state`] decides it on the newest [`snapshot`], and
//! [`answer`] sends the answer of its virtual host. [`observe`] counts and logs each step;
//! [`reload`] replaces the snapshot.

mod answer;
mod command;
mod connection;
mod connection_state;
mod descriptors;
mod limits;
mod listener;
mod observe;
mod reload;
mod server;
mod shares;
mod snapshot;
#[cfg(test)]
mod tests;

pub(crate) use command::{ServeArguments, Signals, block_on, run};
pub(crate) use observe::log_lost_lines;
pub(crate) use observe::recorder::Observers;
pub(crate) use server::Server;
