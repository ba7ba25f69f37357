//! coalesce-h2
