//! The C interface of Coalesce: a server in C or C++ decides which requests a connection serves.
//!
//! This crate does not open sockets, parse HTTP or make handshakes. It gives servers in other
//! languages the decision of `coalesce-core`, and the identifiers of a certificate. The header
//! `coalesce.h` is its documentation; this page says what holds for all of it.
//!
//! ```text
//!  configuration ─► coalesce_table_builder_* ──► coalesce_table ───────┐
//!  certificate ───► coalesce_identifiers_* ─┐                          ├─► coalesce_decide ─► verdict
//!  handshake ─────► policy, facts ──────────┴──► coalesce_connection ──┤
//!  request ───────► :authority, Host ──────────► coalesce_request ─────┘
//! ```
//!
//! # Example
//!
//! Install the library with `crates/coalesce-ffi/install.sh PREFIX`, and compile with
//! `pkg-config --cflags --libs coalesce`. `coalesce.hpp` is a wrapper for C++17, and `examples/c`
//! is a TLS server on OpenSSL. This server has one host, in the clear:
//!
//! ```c
//! #include <coalesce.h>
//! #include <stdio.h>
//!
//! int main(void) {
//!     coalesce_table_builder *builder;
//!     coalesce_table *table;
//!     coalesce_bytes host = {(const uint8_t *)"a.test", 6};
//!     if (coalesce_table_builder_new(&builder) != COALESCE_OK ||
//!         coalesce_table_builder_group(builder, 1, NULL) != COALESCE_OK ||
//!         coalesce_table_builder_entry(builder, host, 7, 1) != COALESCE_OK ||
//!         coalesce_table_builder_build(builder, &table) != COALESCE_OK)
//!         return 1;
//!     coalesce_table_builder_free(builder);
//!
//!     uint16_t port = 80;
//!     coalesce_connection connection = {.size = sizeof connection,
//!                                       .scheme = COALESCE_SCHEME_HTTP,
//!                                       .group = 1,
//!                                       .ports = &port,
//!                                       .ports_len = 1};
//!     coalesce_request request = {.size = sizeof request, .host = host, .host_count = 1};
//!     coalesce_verdict verdict = {.size = sizeof verdict};
//!     coalesce_decide(table, &connection, &request, &verdict);
//!     printf("outcome %u, virtual host %u\n", verdict.outcome, verdict.virtual_host);
//!     coalesce_table_free(table);
//!     return verdict.outcome == COALESCE_SERVE ? 0 : 1;
//! }
//! ```
//!
//! # Promises
//!
//! * Every function returns. `NULL`, a struct of another size and a number outside of its range are
//!   result codes. Only a failed allocation while building ends the program.
//! * After any result but `COALESCE_OK`, the verdict serves nothing. A server that ignores results
//!   answers 500.
//! * `coalesce_decide`, `coalesce_explain`, `coalesce_origins`, `coalesce_handshake_met`,
//!   `coalesce_table_lookup` and `coalesce_identifiers_cover` do not allocate.
//! * No function keeps memory of its caller, except those with `_static` in their names.
//! * Tables and identifier sets do not change, so any number of threads can use one at the same
//!   time. A builder belongs to one thread at a time. Free a handle when no thread uses it any
//!   longer.
//! * A struct begins with its size. Later versions add fields at the end, where 0 means the
//!   behaviour of today.
//!
//! # Crate features
//!
//! * none: reading compiled tables and identifier sets into memory of the caller, deciding; without
//!   the standard library and without an allocator. A program that calls all of it has 87 KB of
//!   code; `tests/bare.sh` in the repository links one and prints its size.
//! * `std` (default): building tables and identifier sets, reading certificates, handles on the
//!   heap.
//!
//! # External types
//!
//! None: the header uses only its own types and those of C.
//!
//! # Limits
//!
//! The header has those of this interface, `COALESCE_PORTS_MAX` and `COALESCE_STRUCT_SIZE_MAX`. The
//! others are those of `coalesce-core` and of the certificate reader of `coalesce-tls`.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]
// A library for C needs a panic handler, even though nothing here panics. Without `std`, the one of
// the standard library serves where there is one; a bare target gets its own.
#[cfg(not(any(feature = "std", target_os = "none")))]
extern crate std;

#[cfg(all(not(feature = "std"), target_os = "none"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[cfg(feature = "std")]
mod builder;
pub mod codes;
mod decision;
mod explain;
mod exports;
mod facts;
mod fault;
#[cfg(feature = "std")]
mod group_policy;
mod handles;
mod handshake;
#[cfg(feature = "std")]
mod names;
mod origins;
mod pointers;
pub mod reasons;
mod results;
mod structs;
mod text;
mod values;

#[cfg(feature = "std")]
pub use builder::TableBuilder;
#[cfg(feature = "std")]
pub use exports::build::*;
pub use exports::decisions::*;
pub use exports::storage::*;
pub use exports::tables::*;
pub use exports::texts::*;
pub use handles::{Identifiers, Table};
pub use origins::OriginFn;
pub use pointers::Bytes;
pub use structs::{
    Connection, Entry, GroupPolicy, HandshakeFacts, HandshakePolicy, Request, Verdict,
};
