//! Tests parsers by round trips, against the model, and with arbitrary bytes.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use coalesce_core::{
    Authority, AuthorityTable, DnsName, Host, IdentifierSet, Malformed, NamePattern,
    PresentedIdentifier,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::build::presented;
use crate::generate::{authority, cases, field, identifier, name, pattern, spell};
use crate::model;

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Checks that the parser and the model agree about `field`, including its fault, and that the
/// printed form means the same.
fn assert_authority(field: &[u8]) {
    match (Authority::parse(field), model::authority(field)) {
        (Ok(parsed), Ok((host, port))) => {
            assert_eq!(parsed.port(), port);
            match (parsed.host(), host) {
                (Host::Name(name), model::Host::Name(text)) => assert_eq!(name.to_string(), text),
                (Host::Ip(address), model::Host::Ip(other)) => assert_eq!(address, other),
                (Host::Other(_), model::Host::Other(_)) => {}
                (found, expected) => panic!("{found:?} / {expected:?}"),
            }
            let shown = parsed.to_string();
            assert_eq!(Authority::parse(shown.as_bytes()), Ok(parsed), "{shown}");
        }
        (Err(found), Err(expected)) => {
            assert_eq!(Malformed::Authority(found).code(), format!("authority_{expected}"));
        }
        (parsed, expected) => panic!("{parsed:?} / {expected:?}"),
    }
}

/// Checks that the parsers of names accept what the model accepts.
fn assert_names(text: &str) {
    let bytes = text.as_bytes();
    assert_eq!(DnsName::parse(bytes).is_ok(), model::is_name(text), "{text:?}");
    assert_eq!(Host::parse(bytes).is_ok(), model::is_host(text), "{text:?}");
    assert_eq!(NamePattern::parse(bytes).is_ok(), model::is_pattern(text), "{text:?}");
    let presented = PresentedIdentifier::parse_dns(bytes).is_ok();
    assert_eq!(presented, model::is_identifier(text), "{text:?}");
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn authority_round_trips(text in authority()) {
        let parsed = Authority::parse(text.as_bytes()).unwrap();
        let shown = parsed.to_string();
        prop_assert_eq!(Authority::parse(shown.as_bytes()), Ok(parsed), "{}", &shown);
        prop_assert_eq!(Authority::parse(shown.as_bytes()).unwrap().to_string(), shown);
    }

    #[test]
    fn dns_name_round_trips(name in name(5), case in any::<u64>(), dot in any::<bool>()) {
        let written = spell(&name, case, dot);
        let parsed = DnsName::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(parsed.to_string(), name.clone());
        let plain = DnsName::parse(name.as_bytes()).unwrap();
        prop_assert_eq!(parsed, plain);
        prop_assert_eq!(hash_of(parsed), hash_of(plain));
        let mut parent = Some(plain);
        while let Some(name) = parent {
            prop_assert_eq!(DnsName::parse(name.as_bytes()), Ok(name));
            parent = name.parent();
            prop_assert!(parent.is_none_or(|parent| name.is_below(parent)));
        }
    }

    #[test]
    fn patterns_and_identifiers_round_trip(pattern in pattern(), name in identifier()) {
        let parsed = NamePattern::parse(pattern.as_bytes()).unwrap();
        prop_assert_eq!(parsed.to_string(), pattern);
        let shown = presented(&name).to_string();
        let expected = [format!("DNS:{name}"), format!("IP:{name}")];
        prop_assert!(expected.contains(&shown), "{}", shown);
    }

    #[test]
    fn authority_parser_agrees_with_the_model(field in field()) {
        assert_authority(&field);
    }

    /// Two authorities are equal exactly if the model finds them equal.
    #[test]
    fn authority_equality_agrees_with_the_model(one in authority(), other in authority()) {
        let equal = Authority::parse(one.as_bytes()) == Authority::parse(other.as_bytes());
        let expected = model::authority(one.as_bytes()) == model::authority(other.as_bytes());
        prop_assert_eq!(equal, expected, "{} / {}", one, other);
    }

    #[test]
    fn name_parsers_agree_with_the_model(field in field(), stars in 0_usize..4) {
        let stars = ["", "*.", "**.", "*"][stars];
        assert_names(&format!("{stars}{}", String::from_utf8_lossy(&field)));
    }

    #[test]
    fn parsers_do_not_panic_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Authority::parse(&bytes);
        let _ = DnsName::parse(&bytes);
        let _ = Host::parse(&bytes);
        let _ = NamePattern::parse(&bytes);
        let _ = PresentedIdentifier::parse_dns(&bytes);
        let _ = PresentedIdentifier::from_address_octets(&bytes);
        let _ = AuthorityTable::from_bytes(&bytes);
        let _ = IdentifierSet::from_bytes(&bytes);
    }
}

/// Long names are read a window at a time, and every rule must hold across the edge of a window.
#[test]
fn name_rules_hold_at_every_place_and_length() {
    for len in 1..=130 {
        for label in [1, 5, 30, 31, 32, 33, 62, 63, 64] {
            let plain: String =
                (1..=len).map(|at| if at % (label + 1) == 0 { '.' } else { 'a' }).collect();
            let plain = plain.strip_suffix('.').unwrap_or(&plain);
            assert_names(plain);
            for at in 0..plain.len() {
                for byte in ["-", ".", "!", "9", "_", "Z"] {
                    let mut text = plain.to_owned();
                    text.replace_range(at..=at, byte);
                    assert_eq!(DnsName::parse(text.as_bytes()).is_ok(), model::is_name(&text));
                }
            }
        }
    }
}

/// Random text seldom has names at their limits, and last labels that are numbers or nearly
/// numbers.
#[test]
fn names_at_their_limits_agree_with_the_model() {
    let label = |len: usize| "l".repeat(len);
    let name = |first: usize| [label(first), label(63), label(63), label(63)].join(".");
    let mut texts: Vec<String> = [
        "",
        ".",
        "..",
        "a.",
        "a..",
        ".a",
        "-",
        "-a",
        "a-",
        "a-.b",
        "a.-b",
        "_",
        "a_",
        "*",
        "*.",
        "**",
        "**.",
        "***.a",
        "*.*",
        "*a.b",
        "a*.b",
        "0",
        "a.0",
        "0.a",
        "a.00",
        "a.0x",
        "a.0X",
        "a.0xf",
        "a.0XF",
        "a.0xg",
        "a.0xfg",
        "a.1f",
        "a.x0",
        "192.0.2.1",
        "192.0.2.1.",
        "192.0.2",
        "1.2.3.4.5",
        "256.0.0.1",
        "192.0.2.01",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "[::1]",
        "[192.0.2.1]",
        "[::1",
        "::1]",
        "[]",
        "1::2::3",
        "::ffff:192.0.2.1",
        "fe80::1%eth0",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7::",
        "a\u{fc}.b",
        "a b",
        "a\0b",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend([label(63), label(64), label(63) + ".", label(64) + "."]);
    for first in 58..=63 {
        texts.extend(["", "*.", "**."].map(|stars| format!("{stars}{}", name(first))));
        texts.push(name(first) + ".");
    }
    for text in &texts {
        assert_names(text);
        assert_authority(text.as_bytes());
    }
}
