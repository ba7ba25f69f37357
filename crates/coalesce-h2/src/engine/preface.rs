//! The first frame that `h2` writes, and what must not be in it.
//!
//! A server's first frame is SETTINGS (RFC 9113 §3.4). `h2` hands out an extended CONNECT only if
//! it was told to support it, and then announces so. A server that merely wants to answer 421 to a
//! misdirected one tells `h2` so, and takes the setting out of the frame here.
//!
//! The end of this frame is also the first place where a frame of our own may go out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use super::frame::{ACK, FrameHeader, HEADER_LEN, SETTINGS};
use super::transport::ExtendedConnect;

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL` (RFC 8441 §3).
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;

/// The length of one setting (RFC 9113 §6.5.1).
const SETTING_LEN: usize = 6;

/// The longest first frame that is waited for: far more than `h2` has settings.
const PREFACE_LEN_MAX: usize = 1024;

/// The first frame on its way to the peer.
#[derive(Debug)]
pub(super) enum Preface {
    /// What has come of the frame so far.
    Collecting(Vec<u8>, ExtendedConnect),
    /// The frame, and how much of it the peer has been sent.
    Sending(Vec<u8>, usize),
    /// The frame is out, and everything else passes.
    Sent,
}

/// What came of a part of the first frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// So many bytes belong to it.
    pub(super) len: usize,
    /// Whether it is something else than SETTINGS, or too long to be waited for.
    pub(super) odd: bool,
}

impl Preface {
    /// Takes what belongs to the first frame from the front of `bytes`, and says how much that is.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Taken {
        let Self::Collecting(frame, extended_connect) = self else {
            return Taken { len: 0, odd: false };
        };
        let mut taken = 0;
        loop {
            let wanted = FrameHeader::at(frame, 0).map_or(HEADER_LEN, |header| header.len());
            if frame.len() >= wanted || wanted > PREFACE_LEN_MAX {
                let odd = !is_settings(frame);
                if !odd && *extended_connect == ExtendedConnect::Withheld {
                    withhold(frame);
                }
                *self = Self::Sending(std::mem::take(frame), 0);
                return Taken { len: taken, odd };
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            let part = rest.get(..wanted - frame.len()).unwrap_or(rest);
            if part.is_empty() {
                return Taken { len: taken, odd: false };
            }
            frame.extend_from_slice(part);
            taken += part.len();
        }
    }

    /// Stops waiting for the rest of the frame; what has come goes out as it is.
    pub(super) fn give_up(&mut self) {
        if let Self::Collecting(frame, _) = self {
            *self = Self::Sending(std::mem::take(frame), 0);
        }
    }

    /// Sends what is ready to go.
    pub(super) fn poll_send<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Self::Sending(frame, sent) = self {
            let rest = frame.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                *self = Self::Sent;
                break;
            }
            let written = ready!(Pin::new(&mut *io).poll_write(context, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += written;
        }
        Poll::Ready(Ok(()))
    }
}

/// Whether this is a whole SETTINGS frame, as a connection begins with.
fn is_settings(frame: &[u8]) -> bool {
    FrameHeader::at(frame, 0).is_some_and(|header| {
        header.kind == SETTINGS && header.flags & ACK == 0 && header.len() == frame.len()
    })
}

/// Takes the setting out of a whole SETTINGS frame, unless it holds something else than settings.
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
