use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::AsyncWrite;

use super::super::frame::{ACK, HEADERS, SETTINGS};
use super::super::{ExtendedConnect, Shared};
use super::client::frame;
use super::support::{Pass, passing};
use crate::transport::Transport;

/// A peer that takes this many octets at once, and none at every other write.
#[derive(Debug)]
struct Peer {
    taken: Vec<u8>,
    at_once: usize,
    ready: bool,
    vectored: usize,
    flushed: bool,
    shut: bool,
}

impl Peer {
    fn new(at_once: usize) -> Self {
        let (taken, ready) = (Vec::new(), false);
        Self { taken, at_once, ready, vectored: 0, flushed: false, shut: false }
    }

    fn turn(&mut self) -> Poll<()> {
        self.ready = !self.ready;
        if self.ready { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.turn().map(|()| {
            let len = bytes.len().min(self.at_once);
            self.taken.extend_from_slice(&bytes[..len]);
            self.flushed = false;
            Ok(len)
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.vectored += 1;
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
        self.poll_write(context, &bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.turn().map(|()| {
            self.flushed = true;
            Ok(())
        })
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut = true;
        Poll::Ready(Ok(()))
    }
}

fn poll<R>(mut operation: impl FnMut(&mut Context<'_>) -> Poll<io::Result<R>>) -> R {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(result) = operation(&mut context) {
            return result.unwrap();
        }
    }
    panic!("never ready");
}

/// Writes all bytes in pieces of these lengths, vectored or not, and flushes.
fn write(
    transport: &mut Transport<Peer, Pass>,
    mut bytes: &[u8],
    lengths: &[usize],
    vectored: bool,
) {
    let mut lengths = lengths.iter().cycle();
    while !bytes.is_empty() {
        let len = (*lengths.next().unwrap()).clamp(1, bytes.len());
        let (first, second) = bytes[..len].split_at(len / 2);
        let mut transport = Pin::new(&mut *transport);
        let written = if vectored {
            let slices = [IoSlice::new(first), IoSlice::new(second)];
            poll(|context| transport.as_mut().poll_write_vectored(context, &slices))
        } else {
            poll(|context| transport.as_mut().poll_write(context, &bytes[..len]))
        };
        assert!(0 < written && written <= len, "{written} of {len} octets");
        bytes = &bytes[written..];
    }
    poll(|context| Pin::new(&mut *transport).poll_flush(context));
}

fn transport(peer: Peer, extended_connect: ExtendedConnect) -> Transport<Peer, Pass> {
    Transport::new(peer, Shared::new(passing(extended_connect)))
}

/// Returns the bytes that the peer gets.
fn received(bytes: &[u8], extended_connect: ExtendedConnect) -> Vec<u8> {
    let mut transport = transport(Peer::new(usize::MAX), extended_connect);
    write(&mut transport, bytes, &[usize::MAX], false);
    transport.into_io().taken
}

/// A SETTINGS frame.
fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let settings = settings.iter().flat_map(|(id, value)| {
        id.to_be_bytes().into_iter().chain(value.to_be_bytes()).collect::<Vec<_>>()
    });
    frame(SETTINGS, 0, 0, &settings.collect::<Vec<_>>())
}

#[test]
fn extended_connect_is_withheld_from_the_first_frame_only() {
    let first = settings(&[(1, 4096), (8, 1), (4, 65_535)]);
    let later = settings(&[(8, 1)]);
    let bytes = [first, later.clone()].concat();
    let expected = [settings(&[(1, 4096), (4, 65_535)]), later].concat();
    assert_eq!(received(&bytes, ExtendedConnect::Withheld), expected);
    assert_eq!(received(&bytes, ExtendedConnect::Announced), bytes);
}

#[test]
fn settings_with_this_setting_alone_become_empty() {
    assert_eq!(received(&settings(&[(8, 1)]), ExtendedConnect::Withheld), settings(&[]));
    assert_eq!(received(&settings(&[]), ExtendedConnect::Withheld), settings(&[]));
    // Another setting whose identifier has the same low octet.
    let others = settings(&[(0x108, 1), (0x800, 1)]);
    assert_eq!(received(&others, ExtendedConnect::Withheld), others);
}

#[test]
fn other_first_frame_passes() {
    let setting = [0, 8, 0, 0, 0, 1];
    for first in [
        frame(HEADERS, 0, 0, &setting),
        frame(SETTINGS, ACK, 0, &setting),
        frame(SETTINGS, 0, 0, &setting[..5]),
        frame(SETTINGS, 0, 0, &vec![8; 60_000]),
    ] {
        let bytes = [first, settings(&[(8, 1)])].concat();
        assert_eq!(received(&bytes, ExtendedConnect::Withheld), bytes);
    }
}

#[test]
fn first_frame_beyond_the_limit_is_not_buffered() {
    let mut transport = transport(Peer::new(usize::MAX), ExtendedConnect::Withheld);
    let header = &frame(SETTINGS, 0, 0, &vec![8; 60_000])[..9];
    write(&mut transport, header, &[usize::MAX], false);
    assert_eq!(transport.io().taken, header);
}

#[test]
fn flush_completes_after_the_first_frame_is_sent() {
    let mut transport = transport(Peer::new(1), ExtendedConnect::Withheld);
    write(&mut transport, &settings(&[(8, 1), (4, 1)]), &[usize::MAX], false);
    let peer = transport.into_io();
    assert_eq!(peer.taken, settings(&[(4, 1)]));
    assert!(peer.flushed);
}

#[test]
fn shutdown_sends_a_partial_frame() {
    let mut transport = transport(Peer::new(2), ExtendedConnect::Withheld);
    let half = &settings(&[(8, 1)])[..12];
    write(&mut transport, half, &[5], false);
    assert_eq!(transport.io().taken, b"");
    poll(|context| Pin::new(&mut transport).poll_shutdown(context));
    let peer = transport.into_io();
    assert_eq!(peer.taken, half);
    assert!(peer.shut);
}

#[test]
fn vectored_writes_stay_vectored() {
    let mut transport = transport(Peer::new(usize::MAX), ExtendedConnect::Withheld);
    assert!(transport.is_write_vectored());
    write(&mut transport, &settings(&[(8, 1)]), &[usize::MAX], true);
    write(&mut transport, b"something else", &[usize::MAX], true);
    assert!(transport.io().vectored > 0);
    assert!(transport.io().taken.ends_with(b"something else"));
}

#[test]
fn peer_that_takes_no_bytes_is_an_error() {
    let mut transport = transport(Peer::new(0), ExtendedConnect::Withheld);
    let mut context = Context::from_waker(Waker::noop());
    let bytes = settings(&[]);
    let written = Pin::new(&mut transport).poll_write(&mut context, &bytes);
    assert!(matches!(written, Poll::Ready(Ok(len)) if len == bytes.len()));
    let result = Pin::new(&mut transport).poll_flush(&mut context);
    let Poll::Ready(Err(error)) = result else { panic!("{result:?}") };
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}

proptest! {
    #[test]
    fn no_octet_is_lost_doubled_or_moved(
        before in vec((0_u16..12, any::<u32>()), 0..8),
        rest: Vec<u8>,
        lengths in vec(1_usize..30, 1..5),
        at_once in 1_usize..40,
        vectored: bool,
    ) {
        let bytes = [settings(&before), rest.clone()].concat();
        let kept: Vec<_> = before.into_iter().filter(|&(id, _)| id != 8).collect();
        let expected = [settings(&kept), rest].concat();
        let mut transport = transport(Peer::new(at_once), ExtendedConnect::Withheld);
        write(&mut transport, &bytes, &lengths, vectored);
        prop_assert_eq!(transport.into_io().taken, expected);
    }
}
