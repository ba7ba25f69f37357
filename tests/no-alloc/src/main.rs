//! Proof by linking: reading images, parsing authorities and deciding need no allocator, no
//! standard library and no operating system. There is no `#[global_allocator]` here and no crate
//! that brings one, so if anything on this path could allocate, this would not link.
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

/// Where the loader jumps to. Every input goes through `black_box`, so that nothing is decided at
/// compile time, and so does the answer, so that the decision is not left out.
#[allow(unsafe_code, reason = "an entry point keeps its name; that is all the attribute does")]
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

/// The status of an answer to a request for `authority`, or 500 for an image that is none.
#[inline(never)]
fn status(table: &[u8], authority: &[u8]) -> u16 {
    let table = AuthorityTable::from_bytes(black_box(table));
    let presented = IdentifierSet::from_bytes(black_box(IDENTIFIERS));
    let (Ok(table), Ok(presented)) = (table, presented) else { return 500 };
    let server_name = DnsName::parse(black_box(b"a.example.test")).ok();
    // Lookups by bytes, beside what the decision looks up.
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

/// How many of a table's entries are found by their own names.
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
