//! The `coalesce` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// jemalloc, because it returns memory to the system within seconds. A reload builds the next
/// configuration while the last one serves, and then frees the last one. The C library's allocator
/// keeps that memory, and so does mimalloc while the server is idle.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    coalesce_cli::main()
}
