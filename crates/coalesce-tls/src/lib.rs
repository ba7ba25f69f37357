//! coalesce-tls
