//! The server's connection preface: the first frame that `h2` writes.
//!
//! The first frame of a server is SETTINGS (RFC 9113 §3.4). `h2` passes an extended CONNECT on only
//! if the setting is on, and then announces it. A server that only answers misdirected ones with a
//! 421 needs the setting on, and this module removes the announcement from the frame.
//!
//! The end of this frame is also the first place where an injected frame may go out.

use super::frame::{ACK, FrameHeader, HEADER_LEN, SETTING_LEN, SETTINGS};

/// The announcement that clients may send an extended CONNECT (RFC 8441).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ExtendedConnect {
    /// The setting goes out as `h2` wrote it.
    Announced,
    /// The setting is removed from the first SETTINGS frame.
    #[default]
    Withheld,
}

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The longest first frame that is collected: far longer than the settings of `h2`.
const PREFACE_LEN_MAX: usize = 1024;

/// The first frame, until it is whole.
#[derive(Debug)]
pub(super) struct Preface {
    /// The part of the frame that has arrived.
    frame: Vec<u8>,
    extended_connect: ExtendedConnect,
    is_over: bool,
}

/// How the first frame ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FirstFrame {
    /// A whole SETTINGS frame, as it goes to the client.
    Settings(Vec<u8>),
    /// Another frame, or a frame above [`PREFACE_LEN_MAX`]. The beginning of the next frame is
    /// unknown.
    Other(Vec<u8>),
}

impl Preface {
    pub(super) const fn new(extended_connect: ExtendedConnect) -> Self {
        Self { frame: Vec::new(), extended_connect, is_over: false }
    }

    /// Returns true if the whole first frame was taken.
    #[inline]
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes the bytes of the first frame from the front of `bytes`. Returns their number, and the
    /// frame when it is whole.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (usize, Option<FirstFrame>) {
        let mut taken = 0;
        loop {
            let wanted = FrameHeader::at(&self.frame, 0).map_or(HEADER_LEN, |header| header.len());
            if self.frame.len() >= wanted || wanted > PREFACE_LEN_MAX {
                return (taken, Some(self.end()));
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            let part = rest.get(..wanted - self.frame.len()).unwrap_or(rest);
            if part.is_empty() {
                return (taken, None);
            }
            self.frame.extend_from_slice(part);
            taken += part.len();
        }
    }

    fn end(&mut self) -> FirstFrame {
        let mut frame = self.give_up();
        if !is_settings(&frame) {
            return FirstFrame::Other(frame);
        }
        if self.extended_connect == ExtendedConnect::Withheld {
            withhold(&mut frame);
        }
        FirstFrame::Settings(frame)
    }

    /// Stops waiting for the rest of the frame, and returns the part that has arrived.
    pub(super) fn give_up(&mut self) -> Vec<u8> {
        self.is_over = true;
        std::mem::take(&mut self.frame)
    }
}

/// Returns true if this is a whole SETTINGS frame without `ACK`, as a connection begins with.
fn is_settings(frame: &[u8]) -> bool {
    FrameHeader::at(frame, 0).is_some_and(|header| {
        header.kind == SETTINGS && header.flags & ACK == 0 && header.len() == frame.len()
    })
}

/// Removes the setting from a whole SETTINGS frame, unless its payload is not a list of settings.
fn withhold(frame: &mut Vec<u8>) {
    if !frame.len().saturating_sub(HEADER_LEN).is_multiple_of(SETTING_LEN) {
        return;
    }
    let settings = frame.split_off(HEADER_LEN);
    for setting in settings.chunks_exact(SETTING_LEN) {
        if !setting.starts_with(&ENABLE_CONNECT_PROTOCOL.to_be_bytes()) {
            frame.extend_from_slice(setting);
        }
    }
    let payload_len = u32::try_from(frame.len() - HEADER_LEN).unwrap_or_default();
    let [_, length @ ..] = payload_len.to_be_bytes();
    if let Some(field) = frame.first_chunk_mut() {
        *field = length;
    }
}
