//! Text in a buffer of the caller.

use core::fmt;
use core::mem::MaybeUninit;

/// Writes text with a NUL at its end into a buffer, as `snprintf` does: the text is cut where the
/// buffer ends, and the length is that of the whole text.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// The part of the buffer that is not written yet.
    rest: &'a mut [MaybeUninit<u8>],
    len: usize,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(buffer: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { rest: buffer, len: 0 }
    }

    /// Ends the text and returns its length without the NUL.
    pub(crate) fn finish(self) -> usize {
        if let Some(end) = self.rest.first_mut() {
            end.write(0);
        }
        self.len
    }

    /// Returns how many bytes of `text` fit in front of the NUL without cutting a character.
    fn room(&self, text: &str) -> usize {
        let mut room = self.rest.len().saturating_sub(1).min(text.len());
        while !text.is_char_boundary(room) {
            room = room.saturating_sub(1);
        }
        room
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.room(text);
        let rest = core::mem::take(&mut self.rest);
        let (now, mut later) = rest.split_at_mut_checked(room).ok_or(fmt::Error)?;
        for (place, byte) in now.iter_mut().zip(text.as_bytes()) {
            place.write(*byte);
        }
        // A text that was cut ends there, even if a shorter piece would still fit.
        if room < text.len() {
            later = later.get_mut(..1.min(later.len())).unwrap_or_default();
        }
        self.rest = later;
        self.len = self.len.saturating_add(text.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use super::*;

    fn written(room: usize, pieces: &[&str]) -> (usize, Vec<u8>) {
        let mut buffer = vec![MaybeUninit::new(b'#'); room];
        let mut text = Text::new(&mut buffer);
        for piece in pieces {
            text.write_str(piece).unwrap();
        }
        let len = text.finish();
        // SAFETY: every byte was set above.
        #[allow(unsafe_code, reason = "the buffer is that of a C caller")]
        let bytes = buffer.iter().map(|byte| unsafe { byte.assume_init() });
        (len, bytes.collect())
    }

    #[test]
    fn text_is_cut_at_a_character_and_its_length_is_whole() {
        assert_eq!(written(0, &["abc"]), (3, b"".to_vec()));
        assert_eq!(written(1, &["abc"]), (3, b"\0".to_vec()));
        assert_eq!(written(4, &["ab", "c"]), (3, b"abc\0".to_vec()));
        assert_eq!(written(3, &["ab", "c"]), (3, b"ab\0".to_vec()));
        assert_eq!(written(5, &["abc"]), (3, b"abc\0#".to_vec()));
        // The section sign has two bytes.
        assert_eq!(written(3, &["a§"]), (3, b"a\0#".to_vec()));
        assert_eq!(written(4, &["a§"]), (3, "a§\0".as_bytes().to_vec()));
        // A shorter piece behind a cut is not written.
        assert_eq!(written(4, &["a§§", "b"]), (6, "a§\0".as_bytes().to_vec()));
        assert_eq!(written(3, &["a§", "b"]), (4, b"a\0#".to_vec()));
    }
}
