//! The `coalesce` command.
fn main() {}
