use http::HeaderValue;
use http::uri::Authority;
use proptest::prelude::*;

use super::super::header_check::h2_refuses as refuses;
use super::super::table::Kind;

#[test]
fn refuses_what_h2_refuses_and_nothing_else() {
    const REFUSED: &[&[u8]] = &[
        b"",
        b" ",
        b"a b",
        b"%61.test",
        b"a.test/",
        b"a.test?",
        b"a@",
        b"[::1",
        b"::1]",
        b"a:1:2",
        b"\xc3\xa4.test",
        b"\xff",
        b"a\0b",
        b"a_b\\c",
    ];
    const TAKEN: &[&[u8]] = &[
        b"a",
        b"a.test",
        b"A.test.",
        b"a.test:443",
        b"a.test:",
        b":1",
        b"[::1]:1",
        b"u@a",
        b"a_b",
    ];
    for value in REFUSED {
        assert!(refuses(Kind::Authority, value), "{}", value.escape_ascii());
    }
    for value in TAKEN {
        assert!(!refuses(Kind::Authority, value), "{}", value.escape_ascii());
    }
    assert!(refuses(Kind::Host, b"a\0"));
    assert!(refuses(Kind::Host, b"a\x7f"));
    assert!(!refuses(Kind::Host, b""));
    assert!(!refuses(Kind::Host, b"\xff a"));
    assert!(!refuses(Kind::Scheme, b"\xff"));
}

proptest! {
    #[test]
    fn the_short_cut_changes_nothing(
        value in prop_oneof![
            "[a-zA-Z0-9.:-]{0,12}",
            "[a-z0-9.:@%/\\[\\] _-]{0,12}",
            any::<String>(),
        ],
    ) {
        let value = value.as_bytes();
        prop_assert_eq!(refuses(Kind::Authority, value), Authority::try_from(value).is_err());
        prop_assert_eq!(refuses(Kind::Host, value), HeaderValue::from_bytes(value).is_err());
    }
}
