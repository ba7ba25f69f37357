//! The integers of HPACK (RFC 7541 §5.1).

/// Appends an integer after the bits of `pattern`, in its shortest form.
pub(crate) fn push_integer(value: usize, mask: u8, pattern: u8, out: &mut Vec<u8>) {
    if let Some(short) = u8::try_from(value).ok().filter(|&short| short < mask) {
        out.push(pattern | short);
        return;
    }
    out.push(pattern | mask);
    let mut rest = value.saturating_sub(usize::from(mask));
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        out.push(low | 0x80);
        rest >>= 7;
    }
    let [low, ..] = rest.to_le_bytes();
    out.push(low);
}
