use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::hpack::{Decoder, Error, Field, Form};
use super::super::integer::push_integer;
use super::super::table::{Fault, Kind, STATIC_NAMES, static_field};
use super::encoder::{Encoder, Header, Headers, PLAIN, Style, Styled, USUAL, headers, style};

/// Decodes a block; returns the fields that matter and whether each is refused.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(Kind, Vec<u8>, bool)>, Error> {
    let mut fields = Vec::new();
    decoder.decode(block, |field: Field<'_>| {
        fields.push((field.kind, field.value.to_vec(), field.fault == Fault::Refused));
    })?;
    Ok(fields)
}

fn kind(name: &[u8]) -> Kind {
    match name {
        b":authority" => Kind::Authority,
        b":scheme" => Kind::Scheme,
        b"host" => Kind::Host,
        b":path" => Kind::Path,
        b":method" => Kind::Method,
        b":protocol" => Kind::Protocol,
        b":status" => Kind::Status,
        b"content-length" => Kind::ContentLength,
        _ => Kind::Other,
    }
}

/// Returns the fields that matter in a header list; for most kinds, without the value.
fn of_interest(headers: &Headers) -> Vec<(Kind, Vec<u8>)> {
    let shown = |kind: Kind, value: &Vec<u8>| {
        if kind.has_value() { value.clone() } else { Vec::new() }
    };
    let fields = headers.iter().map(|(name, value)| (kind(name), shown(kind(name), value)));
    fields.filter(|(kind, _)| *kind != Kind::Other).collect()
}

/// Drops the refusals, and the other fields, which are there only if malformed.
fn without_refusals(fields: Vec<(Kind, Vec<u8>, bool)>) -> Vec<(Kind, Vec<u8>)> {
    let fields = fields.into_iter().map(|(kind, value, _)| (kind, value));
    fields.filter(|(kind, _)| *kind != Kind::Other).collect()
}

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.chars().filter(|digit| !digit.is_whitespace()).collect();
    let octets = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    octets.map(|octet| u8::from_str_radix(&octet, 16).unwrap()).collect()
}

/// Decodes blocks in order; each must show this authority and leave this table.
fn check_examples(table_size: usize, examples: &[(&str, Option<&str>, (usize, usize))]) {
    let mut decoder = Decoder::new(4096);
    let mut resize = Vec::new();
    push_integer(table_size, 0x1f, 0x20, &mut resize);
    decode(&mut decoder, &resize).unwrap();
    for (block, authority, table) in examples {
        let fields = decode(&mut decoder, &hex(block)).unwrap();
        let shown = fields.iter().find(|field| field.0 == Kind::Authority);
        assert_eq!(shown.map(|field| &*field.1), authority.map(str::as_bytes), "{block}");
        assert!(!fields.iter().any(|field| field.2), "{block}");
        assert_eq!(decoder.measure(), *table, "{block}");
    }
}

#[test]
fn decodes_the_requests_of_rfc_7541_c_3_and_c_4() {
    let authority = Some("www.example.com");
    check_examples(
        4096,
        &[
            ("8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", authority, (57, 1)),
            ("8286 84be 5808 6e6f 2d63 6163 6865", authority, (110, 2)),
            (
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
                authority,
                (164, 3),
            ),
        ],
    );
    check_examples(
        4096,
        &[
            ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", authority, (57, 1)),
            ("8286 84be 5886 a8eb 1064 9cbf", authority, (110, 2)),
            ("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", authority, (164, 3)),
        ],
    );
}

/// The table has 256 octets, so entries are evicted.
#[test]
fn follows_the_table_through_the_responses_of_rfc_7541_c_5_and_c_6() {
    check_examples(
        256,
        &[
            (
                "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 \
                 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 \
                 6c65 2e63 6f6d",
                None,
                (222, 4),
            ),
            ("4803 3330 37c1 c0bf", None, (222, 4)),
            (
                "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d \
                 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 \
                 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e \
                 3d31",
                None,
                (215, 3),
            ),
        ],
    );
    check_examples(
        256,
        &[
            (
                "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 \
                 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
                None,
                (222, 4),
            ),
            ("4883 640e ffc1 c0bf", None, (222, 4)),
            (
                "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab \
                 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f \
                 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
                None,
                (215, 3),
            ),
        ],
    );
}

#[test]
fn static_table_has_the_kinds_of_its_names() {
    for (at, name) in STATIC_NAMES.iter().enumerate() {
        assert_eq!(static_field(at + 1).0, kind(name.as_bytes()), "{name}");
    }
}

#[test]
fn knows_names_of_interest_in_either_coding() {
    for huffman_name in [false, true] {
        let style = Style { name_indexed: false, huffman_name, ..PLAIN };
        let list = headers([
            (":authority", b"a.test"),
            (":scheme", b"https"),
            ("host", b"b.test"),
            (":path", b"/x"),
            (":authoritz", b"x"),
            ("hosts", b"x"),
        ]);
        let block = Encoder::default().block(&list, style);
        let fields = decode(&mut Decoder::new(4096), &block).unwrap();
        assert_eq!(without_refusals(fields), of_interest(&list));
    }
}

#[test]
fn value_of_a_literal_has_its_range_in_the_block() {
    let mut block = vec![0x82];
    block.extend(Encoder::default().block(&headers([(":authority", b"a b")]), PLAIN));
    let mut seen = Vec::new();
    let visit = |field: Field<'_>| seen.push((field.span, field.form, field.fault));
    Decoder::new(4096).decode(&block, visit).unwrap();
    let method = (0..1, Form::Indexed, Fault::None);
    assert_eq!(seen, [method, (1..6, Form::Literal { string: 2..6 }, Fault::Refused)]);
}

#[test]
fn entry_larger_than_the_table_empties_it() {
    // RFC 7541 §4.4.
    let mut encoder = Encoder::default();
    let mut decoder = Decoder::new(4096);
    let block = encoder.block(&headers([("x", b"1"), (":authority", b"a.test")]), USUAL);
    decode(&mut decoder, &block).unwrap();
    assert_eq!(decoder.measure(), (34 + 48, 2));
    let block = encoder.block(&headers([(":authority", &[b'a'; 4055])]), USUAL);
    decode(&mut decoder, &block).unwrap();
    assert_eq!(decoder.measure(), (0, 0));
    assert_eq!(encoder.measure(), (0, 0));
}

#[test]
fn name_of_the_entry_that_its_insertion_evicts_is_kept() {
    // RFC 7541 §4.4 warns of this order.
    let mut encoder = Encoder::default();
    let mut decoder = Decoder::new(4096);
    let mut block = Vec::new();
    encoder.resize(64, &mut block);
    block.extend(encoder.block(&headers([("name", b"value")]), USUAL));
    block.extend(encoder.block(&headers([("name", b"other value")]), USUAL));
    decode(&mut decoder, &block).unwrap();
    assert_eq!(decoder.measure(), (4 + 11 + 32, 1));
}

#[test]
fn blocks_without_a_meaning_are_refused() {
    const CASES: &[(&str, Error)] = &[
        ("80", Error::IndexUnknown),
        ("be", Error::IndexUnknown),
        ("7e 00", Error::IndexUnknown),
        ("0f 2f 00", Error::IndexUnknown),
        ("ff", Error::Truncated),
        ("41", Error::Truncated),
        ("41 05 61", Error::Truncated),
        ("41 ff", Error::Truncated),
        ("ff 80 80 80 80", Error::IntegerTooLong),
        ("41 81 00", Error::HuffmanInvalid),
        ("40 81 00 00", Error::HuffmanInvalid),
        ("40 01 61 81 00", Error::HuffmanInvalid),
        ("40 00 00", Error::NameEmpty),
        ("82 20", Error::SizeUpdateRefused),
        ("3f e2 1f", Error::SizeUpdateRefused),
    ];
    for (block, error) in CASES {
        assert_eq!(decode(&mut Decoder::new(4096), &hex(block)), Err(*error), "{block}");
    }
}

#[test]
fn larger_table_is_allowed_if_announced() {
    assert_eq!(decode(&mut Decoder::new(8192), &hex("3f e1 3f")), Ok(Vec::new()));
    assert_eq!(decode(&mut Decoder::new(8191), &hex("3f e1 3f")), Err(Error::SizeUpdateRefused));
    // A smaller size counts only once the client has acknowledged it, which `h2` tracks.
    assert_eq!(decode(&mut Decoder::new(0), &hex("3f e1 1f")), Ok(Vec::new()));
}

fn header() -> impl Strategy<Value = Header> {
    const NAMES: &[&str] =
        &[":authority", ":scheme", "host", ":method", ":path", "cookie", "x-a", "accept"];
    const VALUES: &[&[u8]] = &[b"", b"GET", b"/", b"https", b"http", b"a.test", b"b.test:8443"];
    let value = prop_oneof![
        3 => select(VALUES).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..12),
        1 => vec(any::<u8>(), 100..400),
    ];
    (select(NAMES).prop_map(|name| name.as_bytes().to_vec()), value)
}

type Block = (Option<usize>, Vec<Styled>);

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let resize = prop_oneof![4 => Just(None), 1 => (0_usize..=4096).prop_map(Some)];
    vec((resize, vec((header(), style()), 0..6)), 1..10)
}

fn encode(encoder: &mut Encoder, (resize, fields): &Block) -> Vec<u8> {
    let mut block = Vec::new();
    if let Some(capacity) = resize {
        encoder.resize(*capacity, &mut block);
    }
    for ((name, value), style) in fields {
        encoder.field(name, value, *style, &mut block);
    }
    block
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Three decoders agree on any encoding: this one, another, and the encoder's model.
    #[test]
    fn decodes_what_was_encoded(blocks in blocks()) {
        let mut encoder = Encoder::default();
        let mut decoder = Decoder::new(4096);
        let mut reference = loona_hpack::Decoder::new();
        for parts in blocks {
            let block = encode(&mut encoder, &parts);
            let list: Headers = parts.1.into_iter().map(|(field, _)| field).collect();
            prop_assert_eq!(super::client::reference(&mut reference, &block), list.clone());
            let fields = decode(&mut decoder, &block).unwrap();
            prop_assert_eq!(without_refusals(fields), of_interest(&list));
            prop_assert_eq!(decoder.measure(), encoder.measure());
        }
    }

    /// Broken blocks never panic, and are never read differently from another decoder.
    #[test]
    fn agrees_on_broken_blocks(
        blocks in blocks(),
        breaks in vec(any::<(prop::sample::Index, u8)>(), 0..3),
    ) {
        let mut encoder = Encoder::default();
        let mut decoder = Decoder::new(4096);
        let mut reference = loona_hpack::Decoder::new();
        reference.set_max_allowed_table_size(4096);
        for parts in blocks {
            let mut block = encode(&mut encoder, &parts);
            for (at, octet) in &breaks {
                if !block.is_empty() {
                    let at = at.index(block.len());
                    block[at] = *octet;
                }
            }
            match (decode(&mut decoder, &block), reference.decode(&block)) {
                (Ok(fields), Ok(list)) => {
                    prop_assert_eq!(without_refusals(fields), of_interest(&list));
                }
                (Err(error), Ok(_)) => {
                    use Error::{IntegerTooLong, NameEmpty, SizeUpdateRefused};
                    let limits = [IntegerTooLong, NameEmpty, SizeUpdateRefused];
                    prop_assert!(limits.contains(&error), "{error:?}");
                    return Ok(());
                }
                // This decoder skips some values, so it may miss an error in them.
                (_, Err(_)) => return Ok(()),
            }
        }
    }
}

proptest! {
    #[test]
    fn never_panics(blocks in vec(any::<Vec<u8>>(), 1..5)) {
        let mut decoder = Decoder::new(4096);
        for block in blocks {
            if decode(&mut decoder, &block).is_err() {
                break;
            }
        }
    }

    #[test]
    fn integers_round_trip(value in 0_usize..(1 << 28), bits in 4_u32..8) {
        let mask = u8::try_from((1_u32 << bits) - 1).unwrap();
        let mut out = Vec::new();
        push_integer(value, mask, 0, &mut out);
        prop_assert_eq!(integer(&out, bits), value);
    }
}

/// Reads an integer by the pseudocode of RFC 7541 §5.1.
fn integer(octets: &[u8], bits: u32) -> usize {
    let max = (1 << bits) - 1;
    let mut value = usize::from(octets[0]) & max;
    if value < max {
        return value;
    }
    for (nth, octet) in octets[1..].iter().enumerate() {
        value += usize::from(octet & 0x7f) << (7 * nth);
    }
    value
}
