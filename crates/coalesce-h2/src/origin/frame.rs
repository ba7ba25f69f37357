//! ORIGIN frames (RFC 8336 §2.1): on stream 0, without flags, a list of entries.
//!
//! ```text
//! +-------------------------------+-------------------------------+
//! |         Origin-Len (16)       | ASCII-Origin?               ...
//! +-------------------------------+-------------------------------+
//! ```

use crate::engine::frame::{HEADER_LEN, PAYLOAD_LEN_MAX, push_header};

/// The type of the frame (RFC 8336 §2.1).
pub(crate) const ORIGIN: u8 = 0xc;

/// The length field before each origin, in bytes.
pub(super) const PREFIX_LEN: usize = 2;

/// Appends the frames for these origins. No origins make no frame.
///
/// An origin that is longer than a frame is left out. This does not happen for names, which have at
/// most 253 bytes.
pub(super) fn push_frames<'a>(origins: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    for origin in origins {
        let entry_len = PREFIX_LEN + origin.len();
        let Some(len) = u16::try_from(origin.len()).ok().filter(|_| entry_len <= PAYLOAD_LEN_MAX)
        else {
            continue;
        };
        if payload.len() + entry_len > PAYLOAD_LEN_MAX {
            push_frame(&mut payload, out);
        }
        payload.extend_from_slice(&len.to_be_bytes());
        payload.extend_from_slice(origin);
    }
    if !payload.is_empty() {
        push_frame(&mut payload, out);
    }
}

fn push_frame(payload: &mut Vec<u8>, out: &mut Vec<u8>) {
    push_header(payload.len(), ORIGIN, 0, out);
    out.append(payload);
}

/// An iterator over the origins in frames from [`push_frames`].
pub(super) struct Entries<'a> {
    frames: &'a [u8],
    /// The rest of the current frame.
    payload: &'a [u8],
}

impl<'a> Entries<'a> {
    pub(super) const fn of(frames: &'a [u8]) -> Self {
        Self { frames, payload: &[] }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.payload.is_empty() {
            let (header, rest) = self.frames.split_first_chunk::<HEADER_LEN>()?;
            let &[l0, l1, l2, ..] = header;
            let len = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            (self.payload, self.frames) = rest.split_at_checked(len)?;
        }
        take_entry(&mut self.payload)
    }
}

/// Takes the first entry of a payload. `None` if the rest is shorter than its first entry.
fn take_entry<'a>(payload: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, rest) = payload.split_first_chunk()?;
    let (origin, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into())?;
    *payload = rest;
    Some(origin)
}

/// Iterates over the entries in the payload of one frame, up to the first incomplete one.
#[cfg(feature = "client")]
pub(crate) fn entries(mut payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || take_entry(&mut payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(origins: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        push_frames(origins.iter().copied(), &mut out);
        assert!(Entries::of(&out).eq(origins.iter().copied()));
        out
    }

    #[test]
    fn frame_has_the_layout_of_rfc_8336() {
        let expected = [
            &[0, 0, 45, 0xc, 0, 0, 0, 0, 0, 0, 16][..],
            b"https://a.test:1",
            &[0, 25],
            b"https://b.example.test:84",
        ];
        let frame = frames(&[b"https://a.test:1", b"https://b.example.test:84"]);
        assert_eq!(frame, expected.concat());
    }

    #[test]
    fn no_origins_make_no_frame() {
        assert!(frames(&[]).is_empty());
    }

    /// An entry is never cut, and no frame is longer than every peer accepts.
    #[test]
    fn frames_are_split_between_entries() {
        // 18 bytes each with their prefix: 910 fill a frame but for 4 bytes.
        let origins: Vec<_> = (0..1_821).map(|number| format!("https://n{number:04}.ab")).collect();
        let origins: Vec<_> = origins.iter().map(String::as_bytes).collect();
        let bytes = frames(&origins);
        let mut lens = Vec::new();
        let mut rest = &bytes[..];
        while let [0, l1, l2, ORIGIN, 0, 0, 0, 0, 0, payload @ ..] = rest {
            let len = usize::from(*l1) << 8 | usize::from(*l2);
            lens.push(len);
            rest = &payload[len..];
        }
        assert!(rest.is_empty());
        assert_eq!(lens, [16_380, 16_380, 18]);
    }

    #[test]
    fn frame_is_filled_to_the_last_byte() {
        let long = vec![b'x'; PAYLOAD_LEN_MAX - PREFIX_LEN - 18];
        assert_eq!(&frames(&[&long, &[b'y'; 16]])[..3], [0, 0x40, 0]);
        assert_eq!(&frames(&[&long, &[b'y'; 17]])[..3], [0, 0x3f, 0xee]);
    }

    #[test]
    fn origin_longer_than_a_frame_is_left_out() {
        let mut out = Vec::new();
        let long = vec![b'x'; PAYLOAD_LEN_MAX - 1];
        push_frames([&long[..], b"y"].into_iter(), &mut out);
        assert_eq!(out, [0, 0, 3, 0xc, 0, 0, 0, 0, 0, 0, 1, b'y']);
    }
}
