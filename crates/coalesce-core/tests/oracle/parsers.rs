//! Parsers: round trips, the model's opinion, and arbitrary bytes.

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

    /// The parser and the model agree about every byte string, faults included.
    #[test]
    fn authority_parser_is_the_model(field in field()) {
        let parsed = Authority::parse(&field);
        let expected = model::authority(&field);
        match (parsed, expected) {
            (Ok(parsed), Ok((host, port))) => {
                prop_assert_eq!(parsed.port(), port);
                match (parsed.host(), host) {
                    (Host::Name(name), model::Host::Name(text)) => {
                        prop_assert_eq!(name.to_string(), text);
                    }
                    (Host::Ip(address), model::Host::Ip(other)) => prop_assert_eq!(address, other),
                    (Host::Other(_), model::Host::Nobodys(_)) => {}
                    (found, expected) => prop_assert!(false, "{:?} / {:?}", found, expected),
                }
                // A wrong kind of equality would show up as two hosts that only look the same.
                let shown = parsed.to_string();
                prop_assert_eq!(Authority::parse(shown.as_bytes()), Ok(parsed), "{}", shown);
            }
            (Err(found), Err(expected)) => {
                let code = Malformed::Authority(found).code();
                prop_assert_eq!(code, format!("authority_{expected}"));
            }
            (parsed, expected) => prop_assert!(false, "{:?} / {:?}", parsed, expected),
        }
    }

    /// Two authorities are equal exactly when the model says that they name the same.
    #[test]
    fn authority_equality_is_the_models(one in authority(), other in authority()) {
        let equal = Authority::parse(one.as_bytes()) == Authority::parse(other.as_bytes());
        let expected = model::authority(one.as_bytes()) == model::authority(other.as_bytes());
        prop_assert_eq!(equal, expected, "{} / {}", one, other);
    }

    /// The three parsers of names agree with the model about what they take.
    #[test]
    fn name_parsers_are_the_model(field in field(), stars in 0_usize..4) {
        let text = ["", "*.", "**.", "*"][stars].to_owned() + &String::from_utf8_lossy(&field);
        let bytes = text.as_bytes();
        prop_assert_eq!(DnsName::parse(bytes).is_ok(), model::is_name(&text), "{:?}", &text);
        prop_assert_eq!(NamePattern::parse(bytes).is_ok(), model::is_pattern(&text), "{:?}", &text);
        let presented = PresentedIdentifier::parse_dns(bytes).is_ok();
        prop_assert_eq!(presented, model::is_identifier(&text), "{:?}", &text);
        prop_assert_eq!(Host::parse(bytes).is_ok(), model::is_host(&text), "{:?}", &text);
    }

    #[test]
    fn nothing_panics_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Authority::parse(&bytes);
        let _ = DnsName::parse(&bytes);
        let _ = Host::parse(&bytes);
        let _ = NamePattern::parse(&bytes);
        let _ = PresentedIdentifier::parse_dns(&bytes);
        let _ = PresentedIdentifier::from_address_octets(&bytes);
        let _ = AuthorityTable::from_image(&bytes);
        let _ = IdentifierSet::from_image(&bytes);
    }
}
