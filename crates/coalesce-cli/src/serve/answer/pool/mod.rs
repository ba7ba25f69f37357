//! Connections to one upstream, shared by all clients.
//!
//! A [`Pool`] knows no protocol and does no IO: a [`Connect`] makes its connections, and a
//! [`PooledConnection`] reports how many requests it carries at once. A request leases a part of a
//! connection. If no connection has room, the request waits for an attempt to connect, which runs
//! in a separate task and never under the pool's lock. An attempt that fails fails all requests
//! that wait for it, at the same time.

mod connection;
mod lease;
mod state;
#[cfg(test)]
mod tests;

pub(super) use connection::{Connect, PooledConnection};
pub(super) use lease::{Lease, Pool, Wanted};
