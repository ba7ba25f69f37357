//! Counts that the calls of a request allocate nothing.

#![allow(unsafe_code, reason = "the test calls the functions of C")]
#![allow(clippy::borrow_as_ptr, reason = "a reference shows what a pointer points to")]

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::ptr;

use allocation_counter::measure;
use coalesce_ffi::codes::{
    COALESCE_CLIENT_NOT_ASKED, COALESCE_CLIENTS_NOT_ASKED, COALESCE_OK, COALESCE_SCHEME_HTTPS,
};
use coalesce_ffi::{
    Bytes, Connection, Entry, HandshakeFacts, HandshakePolicy, Request, Verdict, coalesce_decide,
    coalesce_explain, coalesce_handshake_met, coalesce_identifiers_cover,
    coalesce_identifiers_from_names, coalesce_origins, coalesce_table_builder_build,
    coalesce_table_builder_entry, coalesce_table_builder_group, coalesce_table_builder_new,
    coalesce_table_lookup,
};

const PORTS: &[u16] = &[443, 8443];

const POLICY: HandshakePolicy = HandshakePolicy {
    size: size_of::<HandshakePolicy>(),
    client_certificates: COALESCE_CLIENTS_NOT_ASKED,
    tls_version_min: 0x0303,
    client_ca: 0,
    other: 5,
};

const MET: HandshakeFacts = HandshakeFacts {
    size: size_of::<HandshakeFacts>(),
    client_certificate: COALESCE_CLIENT_NOT_ASKED,
    tls_version: 0x0304,
    client_ca: 0,
    other: 5,
};

extern "C" fn count(context: *mut c_void, _: Bytes<'_>) -> c_int {
    // SAFETY: the test passes a pointer to a number.
    unsafe { *context.cast::<u32>() += 1 };
    0
}

#[test]
#[allow(clippy::too_many_lines, reason = "one call of each function of a request")]
fn no_call_of_a_request_allocates() {
    let bytes = |text: &'static str| Bytes::from(text.as_bytes());
    let (mut builder, mut table, mut presented) = (None, None, None);
    // SAFETY: every pointer of this test comes from a reference.
    unsafe {
        assert_eq!(coalesce_table_builder_new(&mut builder), COALESCE_OK);
        assert_eq!(coalesce_table_builder_group(builder.as_deref_mut(), 1, ptr::null()), 0);
        for (id, name) in (0..).zip(["a.test", "*.wild.test", "b.test"]) {
            let added = coalesce_table_builder_entry(builder.as_deref_mut(), bytes(name), id, 1);
            assert_eq!(added, COALESCE_OK);
        }
        assert_eq!(coalesce_table_builder_build(builder.as_deref(), &mut table), COALESCE_OK);
        let names = [bytes("a.test"), bytes("*.wild.test")];
        let made = coalesce_identifiers_from_names(names.as_ptr(), 2, &mut presented);
        assert_eq!(made, COALESCE_OK);
    }
    let (table, presented) = (table.unwrap(), presented.unwrap());
    let mut connection = Connection::new(COALESCE_SCHEME_HTTPS, 1, PORTS)
        .with_handshake(&POLICY, &MET)
        .with_presented(&presented);
    connection.server_name = bytes("a.test");
    let without_identifiers =
        Connection::new(COALESCE_SCHEME_HTTPS, 1, PORTS).with_handshake(&POLICY, &MET);
    let mut statuses = Vec::with_capacity(8);
    let authorities = ["a.test", "x.wild.test:8443", "b.test", "c.test", "u@a.test", "a.test:1"];
    let (mut found, mut origins) = (0_u32, 0_u32);
    let counted = measure(|| {
        for authority in authorities {
            let request = Request {
                size: size_of::<Request<'_>>(),
                authority: bytes(authority),
                host: bytes(authority),
                scheme: bytes("https"),
                host_count: 1,
                method: 0,
            };
            let mut verdict = Verdict {
                size: size_of::<Verdict>(),
                outcome: 0,
                status: 0,
                reason: 0,
                step: 0,
                served_as: 0,
                virtual_host: 0,
                group: 0,
                observed: 0,
            };
            let mut entry = Entry { size: size_of::<Entry>(), virtual_host: 0, group: 0 };
            let (mut text, mut written, mut met, mut covers) = ([0; 400], 0, 0, 0);
            // SAFETY: as above.
            unsafe {
                coalesce_decide(Some(&table), &without_identifiers, &request, &mut verdict);
                coalesce_decide(Some(&table), &connection, &request, &mut verdict);
                let out = text.as_mut_ptr();
                coalesce_explain(Some(&table), &connection, &request, out, 400, &mut written);
                coalesce_handshake_met(&POLICY, &MET, &mut met);
                let host = bytes("x.wild.test");
                coalesce_identifiers_cover(Some(&presented), host, &mut covers);
                coalesce_table_lookup(Some(&table), host, &mut entry, &mut found);
                let context = ptr::from_mut(&mut origins).cast();
                coalesce_origins(Some(&table), &connection, Some(count), context);
            }
            black_box((&text, written));
            assert_eq!((met, covers, found), (1, 1, 1));
            statuses.push(verdict.status);
        }
    });
    assert_eq!(statuses, [0, 0, 421, 421, 400, 421]);
    assert_eq!(origins, 12);
    assert_eq!(counted.count_total, 0);
}
