//! The client: a connection over TLS, and what came of each request on it.

pub(crate) mod connection;
pub(crate) mod exchange;
pub(crate) mod raw_name;
pub(crate) mod sessions;
pub(crate) mod tls;
