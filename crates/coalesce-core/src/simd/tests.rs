//! Compares every instruction set with the table of codes, and with the other ones.

use super::portable::window;
use super::*;
use crate::packed::{WINDOW, code, unpack};
use std::vec::Vec;

/// Returns the codes of a scan, one by one.
fn codes(words: [u64; 3]) -> Vec<u8> {
    (0..192)
        .step_by(6)
        .map(|at| {
            (0..6)
                .map(|bit| u8::from(words[(at + bit) / 64] >> ((at + bit) % 64) & 1 != 0) << bit)
                .sum()
        })
        .collect()
}

/// Runs `is_ambiguous` on the instruction set that the library uses here.
struct IsAmbiguous;

impl Kernel<&[u8]> for IsAmbiguous {
    type Output = bool;

    fn run(self, bytes: &[u8], simd: impl Simd) -> bool {
        simd.is_ambiguous(simd.window(bytes))
    }
}

/// Miri runs about a thousand times slower and checks other things, so it takes every 37th case.
const STEP: usize = if cfg!(miri) { 37 } else { 1 };

#[test]
fn every_byte_at_every_place_matches_the_table() {
    let places = (0..=u8::MAX).flat_map(|byte| (0..WINDOW).map(move |at| (byte, at)));
    for (byte, at) in places.step_by(STEP) {
        let mut bytes = [b'a'; WINDOW];
        bytes[at] = byte;
        let found = Portable.scan(&bytes);
        let ambiguous = Portable.is_ambiguous(window(&bytes));
        let bit = |set: bool| u32::from(set) << at;
        let good = byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        assert_eq!(found.dots, bit(byte == b'.'), "{byte} at {at}");
        assert_eq!(found.hyphens, bit(byte == b'-'), "{byte} at {at}");
        assert_eq!(found.bad, bit(!good), "{byte} at {at}");
        if good {
            assert_eq!(codes(found.words)[at], code(byte));
        }
        assert_eq!(ambiguous, byte != 0 && !(0x20..0x7f).contains(&byte), "{byte} at {at}");
        assert_eq!(dispatch(IsAmbiguous, &bytes), ambiguous, "{byte} at {at}");
        assert_eq!(scan(&bytes), found, "the other implementation: {byte} at {at}");
    }
}

#[test]
fn name_of_every_length_is_right_aligned() {
    let bytes: Vec<u8> = (0..70).map(|at| b'a' + at % 26).collect();
    for len in (0..bytes.len()).step_by(STEP.div_ceil(12)) {
        let name = &bytes[..len];
        let found = scan(name);
        let shown = len.min(WINDOW);
        let expected: Vec<u8> = core::iter::repeat_n(0, WINDOW - shown)
            .chain(name[len - shown..].iter().map(|byte| code(*byte)))
            .collect();
        assert_eq!(codes(found.words), expected, "{len}");
        assert_eq!(found.bad.count_ones() as usize, WINDOW - shown, "{len}");
        assert_eq!(found, Portable.scan(name), "{len}");
    }
}

#[test]
fn unpack_returns_lower_case_bytes() {
    let bytes: Vec<u8> = (0..=u8::MAX)
        .filter(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        .collect();
    for window in bytes.windows(WINDOW).step_by(STEP) {
        for len in 0..=WINDOW {
            let name = &window[..len];
            let unpacked = unpack(scan(name).words);
            assert_eq!(unpacked[WINDOW - len..], name.to_ascii_lowercase());
            assert!(unpacked[..WINDOW - len].iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn unpack_unknown_code_returns_forbidden_byte() {
    let known: Vec<u8> = (0..=u8::MAX)
        .filter(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        .map(code)
        .collect();
    for unknown in (1..64).filter(|code| !known.contains(code)) {
        let unpacked = unpack([0, 0, u64::from(unknown) << 58]);
        assert_ne!(Portable.bad(window(&unpacked)) >> 31, 0, "{unknown} is {}", unpacked[31]);
    }
}
