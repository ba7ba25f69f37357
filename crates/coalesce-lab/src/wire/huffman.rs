//! The string code of HPACK (RFC 7541 §5.2).

/// The length of each octet's code in bits (RFC 7541 Appendix B). The code is canonical, so the
/// lengths alone define it.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, // 0x10
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, // 0x20
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, // 0x30
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, // 0x40
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, // 0x50
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, // 0x60
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, // 0xf0
];

/// Returns the code of `octet` and its length in bits.
fn code(octet: u8) -> (u64, u32) {
    let length = LENGTHS.get(usize::from(octet)).copied().unwrap_or_default();
    // A code is one more than the code before it, shifted to its own length. Octets with shorter
    // codes come before, and so do smaller octets with a code of the same length.
    let mut code = 0;
    for bits in 1..length {
        code = (code + count(bits, 256)) << 1;
    }
    (code + count(length, usize::from(octet)), u32::from(length))
}

/// Returns how many of the first `octets` octets have a code of `length` bits.
fn count(length: u8, octets: usize) -> u64 {
    let same = LENGTHS.iter().take(octets).filter(|of_octet| **of_octet == length);
    same.map(|_| 1).sum()
}

/// Encodes `octets`, and fills the last octet with ones (RFC 7541 §5.2).
pub(crate) fn encode(octets: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(octets.len());
    let (mut bits, mut held) = (0_u64, 0);
    for octet in octets {
        let (code, length) = code(*octet);
        bits = (bits << length) | code;
        held += length;
        while held >= 8 {
            held -= 8;
            encoded.extend(u8::try_from((bits >> held) & 0xff));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        let filled = (bits << (8 - held)) | ((1 << (8 - held)) - 1);
        encoded.extend(u8::try_from(filled & 0xff));
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541 Appendix C.4.1 and C.6.1.
    #[test]
    fn strings_of_the_rfc_are_encoded_as_it_shows() {
        let example = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        assert_eq!(encode(b"www.example.com"), example);
        assert_eq!(encode(b"private"), [0xae, 0xc3, 0x77, 0x1a, 0x4b]);
    }

    #[test]
    fn every_octet_is_decoded_as_it_was() {
        let octets: Vec<u8> = (0..=255).collect();
        let decoded = loona_hpack::huffman::HuffmanDecoder::new().decode(&encode(&octets));
        assert_eq!(decoded.unwrap(), octets);
    }
}
