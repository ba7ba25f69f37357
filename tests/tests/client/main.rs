//! The client over real TLS on loopback: scriptable servers, a scriptable DNS server, and the
//! servers of the system's packages.
//!
//! A server's log is the truth: it has each connection with its server name, and each request with
//! its connection. No test depends on a time: gates fix the order of events, and the times of the
//! client are either endless or needed only to go on.

mod asking;
mod certificates;
mod cold;
mod dns;
mod gate;
mod hole;
mod misdirected;
mod names;
mod origin;
mod origin_frames;
mod packaged;
mod place;
mod policies;
mod ports;
mod proxies;
mod rows;
mod sessions;
mod stale;
mod streams;
