//! Requests over real TLS on loopback: connections, streams, retries, and their ends.

mod coalescing;
mod counters;
mod ends;
mod http1;
mod misdirected;
mod server;
mod streams;
mod support;
mod surface;
