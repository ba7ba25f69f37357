//! `coalesce serve`: a configuration, served over HTTP/2 with TLS.
//!
//! The way of a request: [`server`] accepts its connection, [`connection`] makes the handshakes and
//! accepts the request, [`connection_state`] decides it on the newest [`snapshot`], [`answer`]
//! sends what its virtual host answers. [`observe`] counts and logs on the way; [`reload`] puts the
//! next snapshot in the place of the last.

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
