//! Requests over real TLS on loopback: connections, streams, retries, and their ends.

mod coalescing;
mod connectors;
mod counters;
mod ends;
mod http1;
#[cfg(feature = "hyper-rustls")]
mod hyper_rustls_connector;
mod misdirected;
#[cfg(feature = "reqwest")]
mod reqwest_middleware_client;
mod resolvers;
mod server;
mod streams;
mod support;
mod surface;
