//! Proves by linking that reading compiled tables, parsing authorities and deciding need no
//! allocator, no standard library and no operating system. This program has no
//! `#[global_allocator]`, and none of its crates brings one. If any function on this path
//! allocated, the program would not link.
//!
//! ```text
//! cargo build --release --target x86_64-unknown-none --manifest-path tests/no-alloc/Cargo.toml
//! ```
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use coalesce_core::{
    AuthorityTable, ClientCertificates, DnsName, GroupId, HostField, IdentifierSet, Memo,
    MethodKind, RequestTarget, ServerConnection, TableEntry, Verdict,
};

static FAST: &[u8] = include_bytes!("../../../crates/coalesce-core/tests/golden/table-fast.image");
static COMPACT: &[u8] =
    include_bytes!("../../../crates/coalesce-core/tests/golden/table-compact.image");
static IDENTIFIERS: &[u8] =
    include_bytes!("../../../crates/coalesce-core/tests/golden/identifiers.image");

/// The entry point that the loader jumps to. `black_box` hides every input from the compiler, so
/// the decision is not made at compile time, and uses the answer, so the decision is not removed.
#[allow(unsafe_code, reason = "the loader finds the entry point by its unmangled name")]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    for table in [FAST, COMPACT] {
        black_box(status(table, b"a.example.test:443"));
        black_box(status(table, b"m.example.test"));
        black_box(status(table, b"user@a.example.test"));
        black_box(listed(table));
    }
    loop {
        core::hint::spin_loop();
    }
}

/// Returns the status for a request for `authority`, or 500 if `table` is not a compiled table.
#[inline(never)]
fn status(table: &[u8], authority: &[u8]) -> u16 {
    let table = AuthorityTable::from_bytes(black_box(table));
    let presented = IdentifierSet::from_bytes(black_box(IDENTIFIERS));
    let (Ok(table), Ok(presented)) = (table, presented) else { return 500 };
    let server_name = DnsName::parse(black_box(b"a.example.test")).ok();
    // Link the lookups by bytes too: the decision does not call them.
    black_box((table.lookup_authority(authority), presented.find_authority(authority)));
    let group = GroupId::new(black_box(1));
    let (clients, ports) = (ClientCertificates::NotAsked, black_box(&[443, 8443]));
    let connection =
        ServerConnection::tls(&presented, group, clients, ports).with_server_name(server_name);
    let authority = black_box(authority);
    let request = RequestTarget {
        authority: Some(authority),
        host: HostField::One(authority),
        scheme: Some(black_box(b"https")),
        method: black_box(MethodKind::Ordinary),
    };
    match Memo::new(connection).decide(&table, black_box(1), &request) {
        Verdict::Serve(_) => 200,
        Verdict::Misdirected(_) => 421,
        Verdict::Malformed(reason) => reason.answer().status(),
    }
}

/// Counts the entries of a table that a lookup of their own name finds.
#[inline(never)]
fn listed(table: &[u8]) -> usize {
    let Ok(table) = AuthorityTable::from_bytes(black_box(table)) else { return 0 };
    let found = |entry: &TableEntry<'_>| {
        entry.pattern.as_pattern().is_some_and(|pattern| table.get(&pattern).is_some())
    };
    table.entries().filter(found).count()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
