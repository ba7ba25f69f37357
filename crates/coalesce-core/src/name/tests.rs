//! Each rule of a name, and the functions that a name has.

use super::*;
use std::hash::DefaultHasher;
use std::string::ToString;
use std::vec::Vec;
use std::{format, vec};

fn ok(name: &[u8]) -> DnsName<'_> {
    DnsName::parse(name).unwrap()
}

#[test]
fn valid_host_names_parse() {
    for name in [
        "a",
        "a.example.test",
        "A.Example.TEST.",
        "under_score.test",
        "_dmarc.a.test",
        "xn--bcher-kva.test",
        "1.2.3.test",
        "a--b.test",
        "0x7g",
        "0xy.a0",
        "7f.e",
    ] {
        assert!(DnsName::parse(name.as_bytes()).is_ok(), "{name}");
    }
}

#[test]
fn broken_name_rule_returns_its_error() {
    let cases: &[(&[u8], NameError)] = &[
        (b"", NameError::Empty),
        (b".", NameError::Empty),
        (b"..", NameError::EmptyLabel { at: 0 }),
        (b".a", NameError::EmptyLabel { at: 0 }),
        (b"a..b", NameError::EmptyLabel { at: 2 }),
        (b"a.b..", NameError::EmptyLabel { at: 4 }),
        (b"a b", NameError::ForbiddenByte { at: 1, byte: b' ' }),
        (b"a*.b", NameError::ForbiddenByte { at: 1, byte: b'*' }),
        (b"a\0.b", NameError::ForbiddenByte { at: 1, byte: 0 }),
        (b"b\xc3\xbccher", NameError::ForbiddenByte { at: 1, byte: 0xc3 }),
        (b"-a.test", NameError::HyphenAtEdge { at: 0 }),
        (b"a.-b", NameError::HyphenAtEdge { at: 2 }),
        (b"a-.test", NameError::HyphenAtEdge { at: 1 }),
        (b"a.test-", NameError::HyphenAtEdge { at: 6 }),
        // Two hyphens or dots at the end: the checks for both must not cancel each other out.
        (b"a-..", NameError::HyphenAtEdge { at: 1 }),
        (b"a.b-..", NameError::HyphenAtEdge { at: 3 }),
        (b"a-name-of-more-bytes-than-a-window-..", NameError::HyphenAtEdge { at: 34 }),
        (b"192.0.2.1", NameError::LastLabelNumeric { at: 8 }),
        (b"1.2.3", NameError::LastLabelNumeric { at: 4 }),
        (b"127.1.", NameError::LastLabelNumeric { at: 4 }),
        (b"a.0x7F", NameError::LastLabelNumeric { at: 2 }),
        (b"a.0x", NameError::LastLabelNumeric { at: 2 }),
        (b"0", NameError::LastLabelNumeric { at: 0 }),
    ];
    for (name, error) in cases {
        assert_eq!(DnsName::parse(name).unwrap_err(), *error, "{}", name.escape_ascii());
    }
}

#[test]
fn name_at_length_limit_parses_and_one_byte_longer_fails() {
    let label = |n| vec![b'a'; n];
    assert!(DnsName::parse(&label(63)).is_ok());
    assert_eq!(DnsName::parse(&label(64)), Err(NameError::LabelTooLong { at: 0, max: 63 }));
    let long = [label(63), label(63), label(63), label(61)].join(&b'.');
    assert_eq!(long.len(), 253);
    assert!(DnsName::parse(&long).is_ok());
    let dotted = [long.clone(), vec![]].join(&b'.');
    assert!(DnsName::parse(&dotted).is_ok(), "the trailing dot does not count");
    let longer = [label(63), label(63), label(63), label(62)].join(&b'.');
    assert_eq!(DnsName::parse(&longer), Err(NameError::TooLong { len: 254, max: 253 }));
}

#[test]
fn names_that_differ_in_case_or_trailing_dot_are_equal() {
    assert_eq!(ok(b"A.Example.Test."), ok(b"a.example.test"));
    assert_ne!(ok(b"a.example.test"), ok(b"b.example.test"));
    assert_eq!(ok(b"A.Example.Test.").to_string(), "a.example.test");
}

#[test]
fn is_below_requires_a_whole_label() {
    assert!(ok(b"x.Example.test").is_below(ok(b"example.TEST")));
    assert!(!ok(b"xexample.test").is_below(ok(b"example.test")));
    assert!(!ok(b"example.test").is_below(ok(b"example.test")));
    assert_eq!(ok(b"x.example.test").parent(), Some(ok(b"example.test")));
    assert_eq!(ok(b"test").parent(), None);
}

#[test]
fn name_error_message_contains_found_value() {
    assert_eq!(
        NameError::ForbiddenByte { at: 1, byte: 0 }.to_string(),
        "byte '\\x00' at 1; only letters, digits, '-' and '_' allowed in a label"
    );
    assert_eq!(
        NameError::TooLong { len: 300, max: 253 }.to_string(),
        "name of 300 bytes; at most 253 allowed"
    );
}

/// Returns every length up to three windows, and those around later window edges and the limit.
fn lengths() -> impl Iterator<Item = usize> {
    // Miri runs about a thousand times slower.
    let step = if cfg!(miri) { 47 } else { 1 };
    (1..=98)
        .chain([127, 128, 129, 160, 161, 191, 192, 193, 223, 224, 225, 251, 252, 253])
        .step_by(step)
}

/// Returns a name of `len` bytes made of labels of `label` bytes. If it would end in a dot, it is
/// one byte shorter.
fn name_of(len: usize, label: usize) -> Vec<u8> {
    let byte = |at: usize| if at.is_multiple_of(label + 1) { b'.' } else { b'a' };
    let mut name: Vec<u8> = (1..=len).map(byte).collect();
    if name.last() == Some(&b'.') {
        name.pop();
    }
    name
}

/// A plain name is read in one pass. Names are read byte by byte only to find the broken rule, or
/// because the last label starts with a digit.
#[test]
fn one_pass_accepts_the_same_names_as_the_rules() {
    for (len, label) in lengths().flat_map(|len| [5, 32, 63].map(|label| (len, label))) {
        let plain = name_of(len, label);
        let taken = |name: &[u8]| DnsName::parse_plain(simd::Portable, name).is_some();
        assert!(check(&plain).is_ok() && taken(&plain), "{len} {label}");
        let places = (0..plain.len()).step_by(if cfg!(miri) { 29 } else { 1 });
        for (at, byte) in places.flat_map(|at| b"-.!aZ_".map(|byte| (at, byte))) {
            let mut name = plain.clone();
            name[at] = byte;
            // The caller removes one trailing dot before the pass.
            let rules = check(without_trailing_dot(&name)).is_ok();
            assert_eq!(taken(&name), rules, "{}", name.escape_ascii());
        }
    }
    for digits in ["1", "a.1", "a.1b", "192.0.2.1"] {
        assert!(DnsName::parse_plain(simd::Portable, digits.as_bytes()).is_none(), "{digits}");
    }
}

/// A parent has the same tail, dots and parent length as the name parsed from the parent's text.
#[test]
fn parent_equals_name_parsed_from_its_text() {
    let parts = |name: DnsName<'_>| (name.tail(), name.dots(), name.parent_len());
    for (len, label) in lengths().flat_map(|len| [1, 5, 31, 32, 61].map(|label| (len, label))) {
        for last in [b'a', b'1'] {
            let mut bytes = name_of(len, label);
            // A name whose last label begins with a digit is read byte by byte.
            let at = bytes.iter().rposition(|byte| *byte == b'.').map_or(0, |at| at + 1);
            bytes[at] = last;
            bytes.extend_from_slice(b"z");
            let Ok(mut name) = DnsName::parse(&bytes) else {
                assert_eq!(len, 253);
                continue;
            };
            while let Some(parent) = name.parent() {
                assert_eq!(parent.as_bytes().len(), name.parent_len());
                assert_eq!(parts(parent), parts(ok(parent.as_bytes())), "{parent}");
                name = parent;
            }
            assert!(!name.as_bytes().contains(&b'.'));
        }
    }
}

/// Names that are read byte by byte have the same length limits.
#[test]
fn number_like_name_at_length_limit_parses_and_one_byte_longer_fails() {
    let bytes = |len: usize| [&name_of(len - 63, 62)[..], b".", &[b'1'; 61], b"x"].concat();
    assert_eq!(bytes(253).len(), 253);
    assert!(DnsName::parse(&bytes(253)).is_ok());
    assert_eq!(DnsName::parse(&bytes(254)), Err(NameError::TooLong { len: 254, max: 253 }));
}

#[test]
fn equal_names_hash_equally_and_different_names_do_not() {
    let hash_of = |names: &[&[u8]]| {
        let mut hasher = DefaultHasher::new();
        for name in names {
            ok(name).hash(&mut hasher);
        }
        hasher.finish()
    };
    assert_eq!(hash_of(&[b"A.Test."]), hash_of(&[b"a.test"]));
    assert_ne!(hash_of(&[b"a.test"]), hash_of(&[b"b.test"]));
    assert_ne!(hash_of(&[b"ab", b"c"]), hash_of(&[b"a", b"bc"]));
}

/// Checks RFC 4034 §6.1: label by label from the right, without regard to case.
#[test]
fn names_are_ordered_by_labels_from_the_right() {
    let names =
        ["test", "a.test", "a.A.TEST.", "A-1.A.test", "b.b.a.test", "ab.test", "b.test", "a.test2"];
    for (at, name) in names.iter().enumerate() {
        let name = ok(name.as_bytes());
        for (number, other) in names.iter().enumerate() {
            assert_eq!(name.cmp(&ok(other.as_bytes())), at.cmp(&number), "{name} {other}");
        }
    }
}

#[test]
fn text_and_bytes_parse_to_the_same_result() {
    let cases = [("A.Test.", Ok(ok(b"a.test"))), ("a..b", Err(NameError::EmptyLabel { at: 2 }))];
    for (text, expected) in cases {
        assert_eq!(DnsName::try_from(text), expected);
        assert_eq!(DnsName::try_from(text.as_bytes()), expected);
    }
    assert_eq!(ok(b"A.Test.").as_ref(), b"A.Test");
}

#[test]
fn debug_shows_canonical_spelling() {
    assert_eq!(format!("{:?}", ok(b"A.Example.TEST.")), "DnsName(a.example.test)");
}

/// The hyphen is the first byte and the last byte of the label at once.
#[test]
fn hyphen_alone_is_refused() {
    for name in ["-", "-."] {
        assert!(DnsName::parse(name.as_bytes()).is_err(), "{name}");
    }
}
