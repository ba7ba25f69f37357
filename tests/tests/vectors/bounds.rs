//! The largest cost of reading any bytes, in counted allocations.

use std::hint::black_box;

use allocation_counter::measure;
use coalesce_core::{
    Authority, AuthorityTable, DnsName, Host, IdentifierSet, NamePattern, PresentedIdentifier,
};
use coalesce_tls::PresentedNames;
use proptest::collection::vec;
use proptest::prelude::*;
use rcgen::KeyPair;

use crate::build::{LAYOUTS, build_in, build_set};
use crate::certificates::certificate;
use crate::generate::{cases, field, identifier, world};
use crate::rows::Presented;

/// The most memory at once for reading a certificate, per byte of it. A name of one byte takes
/// three bytes of the certificate. It is kept as text, as an entry of the set and in the record of
/// its place, or as an ignored name with its fault.
const BYTES_PER_BYTE: u64 = 128;
/// The most memory at once for a certificate without names.
const BYTES_ALWAYS: u64 = 16 << 10;

/// Counts the allocations of each way of reading `bytes` that promises none.
fn allocations(bytes: &[u8]) -> u64 {
    let counted = measure(|| {
        let _ = black_box(Authority::parse(bytes));
        let _ = black_box(DnsName::parse(bytes));
        let _ = black_box(Host::parse(bytes));
        let _ = black_box(NamePattern::parse(bytes));
        let _ = black_box(PresentedIdentifier::parse_dns(bytes));
        let _ = black_box(PresentedIdentifier::from_address_octets(bytes));
        let _ = black_box(IdentifierSet::from_bytes(bytes));
        if let Ok(table) = AuthorityTable::from_bytes(bytes) {
            black_box(table.entries().count());
        }
    });
    counted.count_total
}

fn assert_within_bounds(der: &[u8]) {
    let counted = measure(|| {
        let _ = black_box(PresentedNames::read_der(der));
    });
    let most = BYTES_ALWAYS + BYTES_PER_BYTE * der.len() as u64;
    assert!(counted.bytes_max <= most, "{} of {most} bytes for {}", counted.bytes_max, der.len());
}

proptest! {
    #![proptest_config(cases(4))]

    #[test]
    fn parsers_and_images_allocate_nothing_for_any_bytes(
        bytes in vec(any::<u8>(), 0..2_000),
        field in field(),
    ) {
        prop_assert_eq!(allocations(&bytes), 0);
        prop_assert_eq!(allocations(&field), 0);
    }

    #[test]
    fn damaged_images_are_read_without_allocating(
        world in world(),
        names in vec(identifier(), 0..8),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let tables = LAYOUTS.map(|layout| build_in(&world, layout).as_bytes().to_vec());
        for mut image in tables.into_iter().chain([build_set(&names).as_bytes().to_vec()]) {
            prop_assert_eq!(allocations(&image), 0);
            for (at, byte) in &damage {
                let at = at.index(image.len());
                image[at] ^= byte;
            }
            prop_assert_eq!(allocations(&image), 0);
        }
    }

    #[test]
    fn any_bytes_for_a_certificate_are_read_within_bounds(
        bytes in vec(any::<u8>(), 0..2_000),
        cut in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        assert_within_bounds(&bytes);
        let mut der = CERTIFICATE.with(Vec::clone);
        for (at, byte) in &damage {
            let at = at.index(der.len());
            der[at] ^= byte;
        }
        assert_within_bounds(&der);
        assert_within_bounds(&der[..cut.index(der.len())]);
    }
}

thread_local! {
    static CERTIFICATE: Vec<u8> = {
        let names = ["a.example.test", "*.example.test", "f*.example.test"];
        let mut names = names.map(|name| Presented::Dns(name.as_bytes().to_vec())).to_vec();
        names.push(Presented::Ip(vec![192, 0, 2, 1]));
        names.push(Presented::Uri(b"https://a.example.test/".to_vec()));
        certificate(&names, "-", &KeyPair::generate().expect("a key"))
    };
}

/// Many names of a few bytes each cost the most for their size.
#[test]
fn certificates_of_very_many_names_are_read_within_bounds() {
    let key = KeyPair::generate().expect("a key");
    let usable = |number: usize| Presented::Dns(format!("n{number}.test").into_bytes());
    let ignored = |_: usize| Presented::Dns(b"*".to_vec());
    let other = |_: usize| Presented::Uri(b"a:".to_vec());
    let kinds: [&dyn Fn(usize) -> Presented; 3] = [&usable, &ignored, &other];
    for kind in kinds {
        let names: Vec<Presented> = (0..4_000).map(kind).collect();
        let der = certificate(&names, "-", &key);
        assert_within_bounds(&der);
    }
}
