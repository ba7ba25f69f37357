//! The names of the hosts.

/// Returns the full name of a host.
pub(crate) fn name(host: &str) -> String {
    format!("{host}.example.test")
}
