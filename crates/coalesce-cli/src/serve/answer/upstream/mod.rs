//! Another server's answer, passed on.

mod fields;
mod forwarder;
mod h2c;

pub(super) use forwarder::Upstream;
