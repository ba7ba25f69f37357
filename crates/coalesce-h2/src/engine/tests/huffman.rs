use proptest::prelude::*;

use super::super::huffman::{Invalid, decode, encode, push_placeholder};

fn decoded(input: &[u8]) -> Result<Vec<u8>, Invalid> {
    let mut out = Vec::new();
    decode(input, |octet| out.push(octet))?;
    Ok(out)
}

/// Decodes with an independent decoder.
fn reference(input: &[u8]) -> Option<Vec<u8>> {
    // A literal without indexing, with a name of one octet and this value.
    let mut block = vec![0x00, 0x01, b'n'];
    super::super::integer::push_integer(input.len(), 0x7f, 0x80, &mut block);
    block.extend_from_slice(input);
    let fields = loona_hpack::Decoder::new().decode(&block).ok()?;
    Some(fields[0].1.clone())
}

#[test]
fn decodes_the_examples_of_rfc_7541() {
    const EXAMPLES: &[(&[u8], &[u8])] = &[
        // C.4.1, C.4.2, C.4.3
        (b"www.example.com", b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
        (b"no-cache", b"\xa8\xeb\x10\x64\x9c\xbf"),
        (b"custom-key", b"\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f"),
        (b"custom-value", b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
        // C.6.1
        (b"302", b"\x64\x02"),
        (b"private", b"\xae\xc3\x77\x1a\x4b"),
    ];
    for &(plain, coded) in EXAMPLES {
        assert_eq!(decoded(coded).as_deref(), Ok(plain));
        assert_eq!(encode(plain), coded);
    }
}

#[test]
fn every_octet_agrees_with_another_implementation() {
    for octet in 0..=u8::MAX {
        // Alone, and repeated so that it starts at every bit offset.
        for repeat in 1..9 {
            let plain = vec![octet; repeat];
            let coded = encode(&plain);
            assert_eq!(reference(&coded).as_ref(), Some(&plain), "{octet:#x}");
            assert_eq!(decoded(&coded), Ok(plain), "{octet:#x}");
        }
    }
}

#[test]
fn refuses_wrong_padding_and_the_end_symbol() {
    // `a` is 00011; its padding must be 111.
    assert_eq!(decoded(&[0b0001_1111]), Ok(b"a".to_vec()));
    assert_eq!(decoded(&[0b0001_1110]), Err(Invalid));
    assert_eq!(decoded(&[0b0001_1011]), Err(Invalid));
    // Padding of eight bits or more (RFC 7541 §5.2).
    assert_eq!(decoded(&[0b0001_1111, 0xff]), Err(Invalid));
    assert_eq!(decoded(&[0xff]), Err(Invalid));
    // EOS is thirty ones.
    assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(Invalid));
    // Half of a long code, then all of it.
    assert_eq!(decoded(&[0xff, 0xff]), Err(Invalid));
    assert_eq!(decoded(&[0xff, 0xff, 0xea]), Ok(b"\t".to_vec()));
    assert_eq!(decoded(&[]), Ok(Vec::new()));
}

#[test]
fn placeholder_is_as_short_as_any_string_of_its_length() {
    for len in 0..300 {
        let mut placeholder = Vec::new();
        push_placeholder(len, &mut placeholder);
        let mut block = vec![0x00, 0x01, b'n'];
        block.extend_from_slice(&placeholder);
        let fields = loona_hpack::Decoder::new().decode(&block).unwrap();
        assert_eq!(fields[0].1, vec![b'a'; len]);

        let shortest = encode(&vec![b'0'; len]);
        let prefix_len = if shortest.len() < 127 { 1 } else { 2 };
        assert_eq!(placeholder.len(), prefix_len + shortest.len());
    }
}

proptest! {
    #[test]
    fn round_trips(plain: Vec<u8>) {
        prop_assert_eq!(decoded(&encode(&plain)), Ok(plain));
    }

    #[test]
    fn agrees_with_another_implementation_on_any_bits(input: Vec<u8>) {
        prop_assert_eq!(decoded(&input).ok(), reference(&input));
    }

    /// Text-like input reaches further into a string than random bits do.
    #[test]
    fn agrees_on_flipped_bits(plain in "[ -~]{0,60}", at: prop::sample::Index, bit in 0_u32..8) {
        let mut input = encode(plain.as_bytes());
        if !input.is_empty() {
            let at = at.index(input.len());
            input[at] ^= 1_u8 << bit;
        }
        prop_assert_eq!(decoded(&input).ok(), reference(&input));
    }
}
