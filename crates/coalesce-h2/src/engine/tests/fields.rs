use http::uri::Authority;
use http::{HeaderName, HeaderValue};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::field_check::{fault, is_faultless_code, is_name, is_value};
use super::super::huffman;
use super::super::table::{Fault, Kind};

fn refuses(kind: Kind, value: &[u8]) -> bool {
    fault(kind, value) == Fault::Refused
}

#[test]
fn refused_values_are_exactly_those_that_h2_refuses() {
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
    fn shortcut_does_not_change_the_result(
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

#[test]
fn every_octet_of_a_name_is_one_that_h2_takes() {
    for octet in 0..=u8::MAX {
        for name in [&[octet][..], &[b'x', octet], &[octet, b'x'], &[b'-', octet, b'x']] {
            assert_eq!(is_name(name), HeaderName::from_lowercase(name).is_ok(), "{name:?}");
        }
    }
}

#[test]
fn every_octet_of_a_value_is_one_that_h2_takes() {
    for octet in 0..=u8::MAX {
        let is_taken = HeaderValue::from_bytes(&[octet]).is_ok();
        let is_blank = matches!(octet, b' ' | b'\t');
        assert_eq!(is_value(&[b'x', octet, b'y']), is_taken, "{octet:#x} within a value");
        for value in [&[octet][..], &[b'x', octet], &[octet, b'x']] {
            assert_eq!(is_value(value), is_taken && !is_blank, "{value:?}");
        }
        // A long value is read by words.
        for (len, at) in (3..28).flat_map(|len| (1..len - 1).map(move |at| (len, at))) {
            for around in [b'!', b'~', 0x80, 0xff] {
                let mut value = vec![around; len];
                value[at] = octet;
                assert_eq!(is_value(&value), is_taken, "{value:?}");
            }
        }
    }
}

#[test]
fn malformed_values_are_those_of_their_kind() {
    const CASES: &[(Kind, &[u8], &[u8])] = &[
        (Kind::Method, b"GET", b""),
        (Kind::Method, b"X-Y", b"G ET"),
        (Kind::Method, b"LONGER-THAN-FIFTEEN", b"LONGER-THAN FIFTEEN"),
        (Kind::Scheme, b"ht tp", b"http\xff"),
        (Kind::Path, b"/\xc3\xa4", b"/\xe4"),
        (Kind::Protocol, b"", b"\xff"),
        (Kind::ContentLength, b"x", b" 1"),
        (Kind::Other, b"", b" "),
        (Kind::Other, b"a\tb c", b"a\rb"),
    ];
    for (kind, good, bad) in CASES {
        assert_eq!(fault(*kind, good), Fault::None, "{kind:?} {}", good.escape_ascii());
        assert_eq!(fault(*kind, bad), Fault::Malformed, "{kind:?} {}", bad.escape_ascii());
    }
    assert_eq!(fault(Kind::Status, b"200"), Fault::Malformed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// If a code is reported faultless, `fault` finds no fault in its value for any kind.
    #[test]
    fn faultless_code_is_of_a_faultless_value(
        before in vec(select(&b"0 /aozjXZ9'#~\\\xff"[..]), 0..20),
        octet: u8,
        after in vec(select(&b"0 /aozjXZ9'#~\\\xff"[..]), 0..20),
    ) {
        let value = [before, vec![octet], after].concat();
        for kind in [Kind::Path, Kind::Protocol, Kind::ContentLength, Kind::Other] {
            if is_faultless_code(kind, &huffman::encode(&value)) {
                prop_assert_eq!(fault(kind, &value), Fault::None);
            }
        }
    }
}

#[test]
fn code_of_every_malformed_octet_is_found_wherever_it_is() {
    let malformed = (0..=u8::MAX).filter(|octet| !is_value(&[b'x', *octet, b'x']));
    for octet in malformed {
        for (before, after) in (0..40).flat_map(|before| (0..12).map(move |after| (before, after)))
        {
            let value = [vec![b'a'; before], vec![octet], vec![b'a'; after]].concat();
            assert!(!is_faultless_code(Kind::Other, &huffman::encode(&value)), "{value:?}");
        }
    }
}

/// The shortcut applies to the values that clients send.
#[test]
fn usual_values_are_of_faultless_code() {
    const USUAL: &[&str] = &[
        "",
        "/",
        "/a/page.htm?with=query&more=9",
        "gzip, deflate, br, zstd",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.Gfx6VO9tcxwk6xqx9yYzSfebfeakZp5",
    ];
    for value in USUAL {
        let code = huffman::encode(value.as_bytes());
        assert!(is_faultless_code(Kind::Path, &code), "{value}");
        assert!(is_faultless_code(Kind::Other, &code), "{value}");
    }
}
