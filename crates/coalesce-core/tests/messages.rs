//! Checks every error message word by word, because operators read them and tools search for them.

use std::fmt::{Debug, Display};

use coalesce_core::{
    AuthorityError, ClientCertificates, DnsName, FormatError, GroupId, IdentifierError, NameError,
    OriginError, PatternError, Scheme, ServerConnection,
};

#[track_caller]
fn assert_all<T: Display + Debug>(cases: &[(T, &str)]) {
    for (error, text) in cases {
        assert_eq!(error.to_string(), *text, "{error:?}");
    }
}

#[test]
fn names_have_their_messages() {
    use NameError as E;
    assert_all(&[
        (E::Empty, "empty name"),
        (E::TooLong { len: 300, max: 253 }, "name of 300 bytes; at most 253 allowed"),
        (E::EmptyLabel { at: 2 }, "empty label at byte 2"),
        (
            E::LabelTooLong { at: 2, max: 63 },
            "label at byte 2 is too long; at most 63 bytes allowed",
        ),
        (
            E::ForbiddenByte { at: 1, byte: b'\n' },
            "byte '\\n' at 1; only letters, digits, '-' and '_' allowed in a label",
        ),
        (E::HyphenAtEdge { at: 3 }, "hyphen at byte 3; a label may not begin or end with one"),
        (E::LastLabelNumeric { at: 4 }, "last label at byte 4 is a number, as in an IPv4 address"),
    ]);
    assert_all(&[(IdentifierError::Name(E::Empty), "empty name")]);
    assert_all(&[(PatternError::Name(E::Empty), "empty name")]);
}

#[test]
fn authorities_have_their_messages() {
    use AuthorityError as E;
    assert_all(&[
        (
            E::FieldValue { at: 1, byte: b'\r' },
            "byte '\\r' at 1 is not allowed there in a field value",
        ),
        (E::Userinfo { at: 4 }, "userinfo before the '@' at byte 4"),
        (E::EmptyHost, "empty host"),
        (E::ForbiddenByte { at: 1, byte: 0xfc }, "byte '\\xfc' at 1 is not allowed in a host"),
        (E::BadPercentEncoding { at: 2 }, "'%' at byte 2 without two hexadecimal digits"),
        (E::BadIpLiteral, "expected an IPv6 address between brackets"),
        (E::BadPort, "invalid port: expected 0 to 65535"),
    ]);
}

#[test]
fn origins_have_their_messages() {
    use OriginError as E;
    assert_all(&[
        (E::Scheme, "expected 'http://' or 'https://' at the start"),
        (E::Authority(AuthorityError::EmptyHost), "empty host"),
    ]);
}

#[test]
fn compiled_tables_have_their_messages() {
    use FormatError as E;
    assert_all(&[
        (E::Magic, "not a compiled table: it does not start with COAL"),
        (
            E::Version { found: 1, expected: 0x0102_0304 },
            "compiled table of version and kind 0x00000001; 0x01020304 expected",
        ),
        (E::Length { len: 7 }, "compiled table has 7 bytes; its header describes another length"),
        (
            E::Checksum { stored: 1, computed: 0xab },
            "compiled table has checksum 00000000000000ab; 0000000000000001 expected by its header",
        ),
        (
            E::Unexpected { stored: 1, expected: 0xab },
            "compiled table has checksum 0000000000000001; 00000000000000ab expected",
        ),
        (E::Count { at: 16, count: 9, max: 8 }, "count 9 at byte 16; at most 8 allowed"),
        (E::Header { at: 20 }, "header field at byte 20 contradicts the names of the table"),
        (E::Name { at: 96 }, "invalid or misplaced name at byte 96"),
        (E::Order { number: 3 }, "name 3 is not in order"),
        (E::Address { at: 96 }, "invalid or misplaced address at byte 96"),
        (E::Group { at: 96 }, "invalid or misplaced group at byte 96"),
        (E::Pair { at: 96 }, "invalid or misplaced pair at byte 96"),
        (E::Value { at: 96, value: 9 }, "invalid value 9 at byte 96"),
    ]);
}

#[cfg(feature = "alloc")]
#[test]
fn building_has_its_messages() {
    use coalesce_core::BuildError as E;
    assert_all(&[
        (E::Duplicate { earlier: 1, later: 2 }, "entries 1 and 2 have the same name"),
        (E::UnknownGroup { group: 3 }, "group 3 was not added"),
        (E::GroupConflict { group: 3 }, "group 3 was added before with other policies"),
        (
            E::TooLarge,
            "too large; at most 67108864 entries, 1048576 identifiers, 65536 groups and 4 GiB of \
             names and of table allowed",
        ),
    ]);
    assert!(E::Inseparable.to_string().ends_with("under each of 64 seeds"));
}

/// Checks the text of ids and connections in a log.
#[test]
fn ids_and_connections_have_their_text() {
    let (group, ports) = (GroupId::new(7), [80]);
    assert_eq!((group.to_string().as_str(), group.get()), ("7", 7));
    for scheme in [Scheme::Http, Scheme::Https] {
        let gateway =
            ServerConnection::trusted_gateway(scheme, group, ClientCertificates::NotAsked, ports);
        assert_eq!((gateway.scheme(), gateway.group()), (scheme, group));
        let other = gateway.with_group(GroupId::new(8));
        assert_eq!(other.group(), GroupId::new(8));
    }
    assert_eq!(ServerConnection::cleartext(group, ports).scheme(), Scheme::Http);
    assert_eq!(format!("{:?}", DnsName::parse(b"A.Test.").unwrap()), "DnsName(a.test)");
}

#[cfg(feature = "alloc")]
#[test]
fn owned_names_have_their_text() {
    use coalesce_core::DnsNameBuf;
    let owned = |text: &str| DnsNameBuf::from(DnsName::parse(text.as_bytes()).unwrap());
    assert_eq!(format!("{:?}", owned("A.Test.")), "DnsName(a.test)");
    assert_eq!(owned("A.Test.").to_string(), "a.test");
    assert!(owned("A.Test.") == owned("a.test") && owned("a.test") != owned("b.test"));
}
