//! Checks borrowed and owned forms: `Eq`, `Ord` and `Hash` agree, and printed values parse to the
//! same values.

use std::fmt::{Debug, Display};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use coalesce_core::{
    Authority, AuthorityBuf, DnsName, DnsNameBuf, Host, HostBuf, NamePattern, Origin, OriginBuf,
    Scheme,
};
use proptest::prelude::*;
use proptest::sample::select;

use crate::build::presented;
use crate::generate::{authority, cases, host, identifier, name, pattern, spell};
use crate::listing::place;

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Checks that `Eq` and `Ord` agree in both directions, and that equal values have equal hashes.
#[track_caller]
fn assert_traits_agree<T: Ord + Hash + Debug>(one: &T, other: &T) {
    let order = one.cmp(other);
    assert_eq!(order.is_eq(), one == other, "{one:?} {other:?}");
    assert_eq!(order.reverse(), other.cmp(one), "{one:?} {other:?}");
    assert_eq!(Some(order), one.partial_cmp(other));
    if order.is_eq() {
        assert_eq!(hash_of(one), hash_of(other), "{one:?} {other:?}");
    }
}

/// Checks that the traits of both forms of two values agree, and that the printed owned form parses
/// to the same value.
#[track_caller]
fn assert_forms_agree<B, O>(one: B, other: B, read_back: bool)
where
    B: Copy + Ord + Hash + Display + Debug + PartialEq<O>,
    O: Ord + Hash + Display + Debug + PartialEq<B> + From<B> + FromStr<Err: Debug>,
{
    assert_traits_agree(&one, &other);
    let owned = (O::from(one), O::from(other));
    assert_traits_agree(&owned.0, &owned.1);
    assert_eq!(one.cmp(&other), owned.0.cmp(&owned.1), "{one:?} {other:?}");
    assert_eq!(hash_of(&one), hash_of(&owned.0), "{one:?}");
    for borrowed in [one, other] {
        assert_eq!(owned.0 == borrowed, one == borrowed, "{one:?} {borrowed:?}");
        assert_eq!(borrowed == owned.0, one == borrowed, "{one:?} {borrowed:?}");
    }
    assert_eq!(format!("{one} {one:?}"), format!("{0} {0:?}", owned.0));
    if read_back {
        assert_eq!(one.to_string().parse::<O>().unwrap(), owned.0, "{one}");
    }
}

/// Checks that a borrowed and an owned form parse from the same text and bytes.
macro_rules! assert_parsed_alike {
    ($borrowed:ident, $owned:ident, $text:expr) => {{
        let (text, expected) = ($text, $borrowed::parse($text.as_bytes()));
        assert_eq!($borrowed::try_from(text), expected, "{text}");
        assert_eq!($borrowed::try_from(text.as_bytes()), expected, "{text}");
        let owned = expected.map($owned::from);
        assert_eq!($owned::try_from(text), owned, "{text}");
        assert_eq!($owned::try_from(text.as_bytes()), owned, "{text}");
        assert_eq!(text.parse::<$owned>(), owned, "{text}");
    }};
}

/// Returns two texts. Often the second is another spelling of the first.
fn pair(text: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = (String, String)> {
    (text.clone(), text, any::<u64>(), any::<bool>()).prop_map(|(one, other, case, same)| {
        let other = if same { spell(&one, case, false) } else { other };
        (one, other)
    })
}

fn scheme() -> impl Strategy<Value = Scheme> + Clone {
    select(vec![Scheme::Http, Scheme::Https])
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn name_forms_agree(
        (one, other) in pair(name(3).boxed()),
        case in any::<u64>(),
        dots in any::<(bool, bool)>(),
    ) {
        let (one, other) = (spell(&one, case, dots.0), spell(&other, !case, dots.1));
        assert_parsed_alike!(DnsName, DnsNameBuf, &*one);
        let parsed = [&one, &other].map(|text| DnsName::parse(text.as_bytes()).unwrap());
        assert_forms_agree::<_, DnsNameBuf>(parsed[0], parsed[1], true);
    }

    /// Takes hosts as in an authority, including those that are neither names nor addresses. Only
    /// an authority parses the latter.
    #[test]
    fn host_forms_agree((one, other) in pair(host().boxed())) {
        assert_parsed_alike!(Host, HostBuf, &*one);
        let parsed = [&one, &other].map(|text| Authority::parse(text.as_bytes()).unwrap().host());
        let read_back = !matches!(parsed[0], Host::Other(_));
        assert_forms_agree::<_, HostBuf>(parsed[0], parsed[1], read_back);
    }

    #[test]
    fn authority_forms_agree((one, other) in pair(authority().boxed())) {
        assert_parsed_alike!(Authority, AuthorityBuf, &*one);
        let parsed = [&one, &other].map(|text| Authority::parse(text.as_bytes()).unwrap());
        assert_forms_agree::<_, AuthorityBuf>(parsed[0], parsed[1], true);
    }

    #[test]
    fn origin_forms_agree(
        (one, other) in pair(authority().boxed()),
        schemes in (scheme(), scheme()),
        case in any::<u64>(),
    ) {
        let text = |scheme: Scheme, authority| format!("{}://{authority}", scheme.as_str());
        let one = spell(&text(schemes.0, one), case, false);
        let other = text(schemes.1, other);
        assert_parsed_alike!(Origin, OriginBuf, &*one);
        let parsed = [&one, &other].map(|text| Origin::parse(text.as_bytes()).unwrap());
        assert_forms_agree::<_, OriginBuf>(parsed[0], parsed[1], true);
        // RFC 6454 §5: origins are the same if and only if their serialisations are.
        let same = parsed[0].to_string() == parsed[1].to_string();
        prop_assert_eq!(parsed[0] == parsed[1], same, "{} {}", one, other);
    }

    #[test]
    fn patterns_are_ordered_as_tables_list_them((one, other) in pair(pattern().boxed())) {
        let parsed = [&one, &other].map(|text| NamePattern::parse(text.as_bytes()).unwrap());
        assert_traits_agree(&parsed[0], &parsed[1]);
        let shown = parsed.map(|pattern| pattern.to_string());
        prop_assert_eq!(parsed[0].cmp(&parsed[1]), place(&shown[0]).cmp(&place(&shown[1])));
    }

    #[test]
    fn identifiers_are_ordered_as_sets_list_them((one, other) in pair(identifier().boxed())) {
        let parsed = [&one, &other].map(|text| presented(text));
        assert_traits_agree(&parsed[0], &parsed[1]);
        let shown = parsed.map(|identifier| identifier.to_string());
        let shown = shown.each_ref().map(|text| text.split_once(':').unwrap().1);
        prop_assert_eq!(parsed[0].cmp(&parsed[1]), place(shown[0]).cmp(&place(shown[1])));
    }
}

/// Checks that the generated pairs contain both equal and different values.
#[test]
fn equal_and_other_origins_are_reached() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut equal = [0; 2];
    for _ in 0..1_000 {
        let (one, other) = pair(authority().boxed()).new_tree(&mut runner).unwrap().current();
        let parsed = [&one, &other].map(|text| Authority::parse(text.as_bytes()).unwrap());
        equal[usize::from(parsed[0] == parsed[1])] += 1;
    }
    assert!(equal.iter().all(|count| *count >= 200), "{equal:?}");
}
