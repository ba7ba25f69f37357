//! Takes back what a server announces.

/// The length of the fixed part of a frame (RFC 9113 §4.1).
const FRAME_HEADER_LEN: usize = 9;

const SETTINGS: u8 = 4;

/// The length of one setting (RFC 9113 §6.5.1).
const SETTING_LEN: usize = 6;

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
const ENABLE_CONNECT_PROTOCOL: [u8; 2] = [0, 8];

/// The announcement of extended `CONNECT` in the first frame that a server writes.
///
/// `axum::serve` announces it always, because it does not know the policies of the decision. A
/// browser opens its WebSocket then on the HTTP/2 connection, and gives up after the 405; without
/// the announcement it makes a connection for HTTP/1.1, which works. So the value is written as 0,
/// which is what a client assumes anyway. The frame keeps its length.
#[derive(Debug)]
pub(crate) enum Announcement {
    /// Every byte passes as the server writes it.
    Passes,
    /// The first frame is still to come.
    Awaited,
    /// The first frame as it is written, and how much of it was.
    Changed { frame: Vec<u8>, written: usize },
}

impl Announcement {
    /// Returns what to write in place of `bytes`, if it is something else.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        if matches!(self, Self::Awaited) && !bytes.is_empty() {
            *self = first_frame(bytes)
                .map_or(Self::Passes, |frame| Self::Changed { frame, written: 0 });
        }
        match self {
            Self::Changed { frame, written } => frame.get(*written..),
            Self::Passes | Self::Awaited => None,
        }
    }

    pub(crate) const fn passes(&self) -> bool {
        matches!(self, Self::Passes)
    }

    /// Records that `len` bytes were written.
    pub(crate) fn advance(&mut self, len: usize) {
        if let Self::Changed { frame, written } = self {
            *written = written.saturating_add(len);
            if *written >= frame.len() {
                *self = Self::Passes;
            }
        }
    }
}

/// Returns the frame at the beginning of `bytes` without the announcement, if it is a SETTINGS
/// frame. h2 writes it in one piece, because it is the first.
fn first_frame(bytes: &[u8]) -> Option<Vec<u8>> {
    let [a, b, c, SETTINGS, _, 0, 0, 0, 0] = *bytes.first_chunk::<FRAME_HEADER_LEN>()? else {
        return None;
    };
    let payload = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let mut frame = bytes.get(..FRAME_HEADER_LEN.checked_add(payload)?)?.to_vec();
    for setting in frame.get_mut(FRAME_HEADER_LEN..)?.chunks_exact_mut(SETTING_LEN) {
        if let Some((name, value)) = setting.split_first_chunk_mut()
            && *name == ENABLE_CONNECT_PROTOCOL
        {
            value.fill(0);
        }
    }
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(settings: &[(u8, u8)]) -> Vec<u8> {
        let payload: Vec<u8> =
            settings.iter().flat_map(|(name, value)| [0, *name, 0, 0, 0, *value]).collect();
        let header = [0, 0, u8::try_from(payload.len()).unwrap(), 4, 0, 0, 0, 0, 0];
        [&header[..], &payload].concat()
    }

    /// Returns all that is written for `bytes` if each write takes `piece` bytes.
    fn written(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut announcement, mut written) = (Announcement::Awaited, Vec::new());
        while written.len() < bytes.len() {
            let rest = &bytes[written.len()..];
            let next = announcement.replace(rest).unwrap_or(rest);
            let len = next.len().min(piece);
            written.extend_from_slice(&next[..len]);
            announcement.advance(len);
        }
        assert!(announcement.passes());
        written
    }

    #[test]
    fn announcement_of_extended_connect_is_taken_back() {
        let announced = settings(&[(3, 200), (8, 1), (6, 9)]);
        let hidden = settings(&[(3, 200), (8, 0), (6, 9)]);
        let again = settings(&[(8, 1)]);
        for piece in [1, 5, 27, 1_000] {
            let found = written(&[&announced[..], b"more"].concat(), piece);
            assert_eq!(found, [&hidden[..], b"more"].concat());
            // The first frame alone is one in which h2 announces it.
            let found = written(&[&hidden[..], &again].concat(), piece);
            assert_eq!(found, [&hidden[..], &again].concat());
        }
    }

    #[test]
    fn bytes_of_something_else_pass() {
        for bytes in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"a", &settings(&[(8, 1)])[..12]] {
            assert_eq!(written(bytes, 3), bytes);
        }
    }
}
