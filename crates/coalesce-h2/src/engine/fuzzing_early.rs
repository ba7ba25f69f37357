//! What must hold for early answers, whatever bytes a client sends; shared by fuzzers and tests.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use coalesce_core::RequestTarget;
use http::HeaderValue;
use tokio::io::AsyncWrite;

use super::early_answer::Refuse;
use super::frame::{
    DATA, FrameHeader, HEADER_LEN, HEADERS, RST_STREAM, WINDOW_UPDATE, WORD_LEN, increment,
};
use super::fuzzing::{Script, read_to_end};
use super::observer::CLIENT_PREFACE_LEN;
use super::{ExtendedConnect, Target, Transport, WriteBatch};
use crate::MisdirectedContent;
use crate::answer::{Answers, Early};

/// The length of a date (RFC 9110 §5.6.7), which is the last field of an answer.
const DATE_LEN: usize = 29;

/// Refuses every authority that does not begin with the letter `a`.
#[derive(Debug)]
pub(super) struct Asked {
    answers: Answers,
    /// The streams and authorities that it was asked about.
    pub(super) about: Vec<(u32, Vec<u8>)>,
}

impl Asked {
    pub(super) fn new() -> Self {
        Self::answering(&MisdirectedContent::default())
    }

    pub(super) fn answering(content: &MisdirectedContent) -> Self {
        Self { answers: Answers::new(content, HeaderValue::from_static("GET")), about: Vec::new() }
    }
}

impl Refuse for &mut Asked {
    fn refuses(&mut self, stream_id: u32, target: &RequestTarget<'_>) -> bool {
        let authority = target.authority.unwrap_or_default();
        assert!(self.about.iter().all(|&(asked, _)| asked < stream_id), "asked twice");
        self.about.push((stream_id, authority.to_vec()));
        !authority.starts_with(b"a")
    }

    fn changes(&self) -> u32 {
        0
    }

    fn template(&self) -> Option<&Early> {
        self.answers.early.as_ref()
    }
}

/// A frame of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Frame {
    kind: u8,
    stream_id: u32,
    bytes: Vec<u8>,
}

impl Frame {
    /// What it grants to the connection.
    fn grant(&self) -> Option<u64> {
        let grants = self.kind == WINDOW_UPDATE && self.stream_id == 0;
        let well_formed = FrameHeader::at(&self.bytes, 0)?.payload_len == WORD_LEN;
        increment(&self.bytes).filter(|_| grants && well_formed).map(u64::from)
    }
}

/// The frames of a connection, and what is left.
fn frames(mut bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    let mut frames = Vec::new();
    while let Some(header) = FrameHeader::at(bytes, 0)
        && let Some((frame, rest)) = bytes.split_at_checked(header.len())
    {
        let FrameHeader { kind, stream_id, .. } = header;
        frames.push(Frame { kind, stream_id, bytes: frame.to_vec() });
        bytes = rest;
    }
    (frames, bytes)
}

/// The frames of a client.
fn of_client(bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    frames(bytes.get(CLIENT_PREFACE_LEN..).unwrap_or_default())
}

fn granted(frames: &[Frame]) -> u64 {
    frames.iter().filter_map(Frame::grant).sum()
}

/// What came of a connection.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    /// What `h2` gets, without the grants to the connection; these together, with what is held.
    shown: Vec<Frame>,
    rest: Vec<u8>,
    window: u64,
    targets: Vec<Target>,
    lost_sync: bool,
    /// What is written, or waits to be.
    answers: Vec<Frame>,
    about: Vec<(u32, Vec<u8>)>,
}

/// How answers are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writing {
    /// When all is read.
    Late,
    /// Between any two reads.
    AtOnce,
}

fn run<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    buf_len: usize,
    writing: Writing,
) -> Outcome {
    let mut asked = Asked::new();
    let (mut transport, stream_notes) = Transport::new(
        Script::new(chunks),
        ExtendedConnect::Announced,
        &mut asked,
        WriteBatch::default(),
    );
    let mut context = Context::from_waker(Waker::noop());
    let mut shown = Vec::new();
    read_to_end(&mut transport, buf_len, |transport, part| {
        shown.extend_from_slice(part);
        if writing == Writing::AtOnce {
            let flushed = Pin::new(transport).poll_flush(&mut context);
            assert!(matches!(flushed, Poll::Ready(Ok(()))), "a script takes all there is");
        }
    });
    let held = u64::from(transport.observer().held());
    let flushed = Pin::new(&mut transport).poll_flush(&mut context);
    assert!(matches!(flushed, Poll::Ready(Ok(()))), "a script takes all there is");
    let (mut answers, rest) = frames(transport.io().written());
    assert_eq!(rest, b"", "an answer is cut");
    for answer in answers.iter_mut().filter(|answer| answer.kind == HEADERS) {
        // The second may have ended in between.
        answer.bytes.truncate(answer.bytes.len() - DATE_LEN);
    }
    drop(transport);
    let (mut frames, rest) = of_client(&shown);
    let window = granted(&frames) + held;
    frames.retain(|frame| frame.grant().is_none());
    Outcome {
        shown: frames,
        rest: rest.to_vec(),
        window,
        targets: stream_notes.drain(),
        lost_sync: stream_notes.has_lost_sync(),
        answers,
        about: asked.about,
    }
}

/// Reads a connection in pieces, and asserts what must hold whatever the client sends:
///
/// - the outcome does not depend on the pieces, nor on the buffers `h2` offers;
/// - window is conserved: what `h2` was told of, what answers took and what is held together are
///   what the client granted;
/// - no stream is answered twice, nor asked about twice, nor opened by `h2` as well;
/// - answers are whole frames.
pub(crate) fn fuzz_early(chunks: &[&[u8]]) {
    let whole = chunks.concat();
    let outcome = run(chunks.iter().copied(), 8192, Writing::Late);
    assert_eq!(outcome, run([&*whole], whole.len().max(1), Writing::Late), "the pieces matter");
    assert_eq!(outcome, run(whole.chunks(1), 7, Writing::Late), "single octets matter");
    check(&whole, &outcome);
    check(&whole, &run(chunks.iter().copied(), 8192, Writing::AtOnce));
    check(&whole, &run(whole.chunks(1), 7, Writing::AtOnce));
}

fn check(whole: &[u8], outcome: &Outcome) {
    let (sent, _) = of_client(whole);
    let content = outcome.answers.iter().filter(|frame| frame.kind == DATA);
    let paid: u64 = content.map(|frame| (frame.bytes.len() - HEADER_LEN) as u64).sum();
    let accounted = outcome.window + paid;
    let granted = granted(&sent);
    // Beyond that the client is in error, which h2 gets to see.
    if granted < (1 << 31) - 65_535 {
        assert_eq!(accounted, granted, "window is lost or made");
    }
    let mut answered = BTreeSet::new();
    for frame in &outcome.answers {
        match frame.kind {
            HEADERS | RST_STREAM => {
                assert!(answered.insert(frame.stream_id), "answered twice");
            }
            _ => assert!(answered.contains(&frame.stream_id), "content without fields"),
        }
    }
    // Below a stream that it was shown, h2 itself sees that they are over.
    let mut highest = 0;
    for frame in outcome.shown.iter().filter(|frame| frame.kind == HEADERS && !outcome.lost_sync) {
        let opens = frame.stream_id > highest;
        assert!(!opens || !answered.contains(&frame.stream_id), "h2 is shown what was answered");
        highest = highest.max(frame.stream_id);
    }
    let refused = outcome.about.iter().filter(|(_, authority)| !authority.starts_with(b"a"));
    let refused = refused.map(|&(stream_id, _)| stream_id).collect();
    assert_eq!(answered, refused, "refused and not answered, or the other way round");
}
