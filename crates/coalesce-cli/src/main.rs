//! The `coalesce` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// A reload builds the next configuration while the last one serves, and then frees that one. This
/// allocator gives such memory back to the system within seconds. That of the C library keeps it,
/// and so does mimalloc while the server is idle.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    coalesce_cli::main()
}
