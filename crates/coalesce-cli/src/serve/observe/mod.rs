//! What the operator sees of the server: counters, the log, the access log, and the admin listener.

pub(super) mod access_log;
pub(super) mod admin;
pub(super) mod events;
pub(super) mod handshakes;
pub(super) mod meters;
pub(super) mod recorder;
