//! ORIGIN frames (RFC 8336) of a server of the public API, read as raw frames.

mod announcing;
mod peers;
mod raw;
mod server;
mod wakers;
