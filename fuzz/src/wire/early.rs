//! Checks early answers, for any bytes of a client.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use coalesce_core::{Malformed, Misdirected, RequestTarget, Verdict};
use coalesce_h2::fuzz_bridge;
use tokio::io::AsyncWrite;

use super::frames::{
    CLIENT_PREFACE_LEN, DATA, Frame, HEADER_LEN, HEADERS, RST_STREAM, SETTINGS, frames,
};
use super::script::{Script, read_to_end};

/// The length of a date (RFC 9110 §5.6.7), the last field of an answer.
const DATE_LEN: usize = 29;

/// A complete SETTINGS frame. No answer may be written before the first frame of `h2`.
const FIRST_FRAME: &[u8] = &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];

/// Returns the frames of a client.
fn of_client(bytes: &[u8]) -> (Vec<Frame>, &[u8]) {
    frames(bytes.get(CLIENT_PREFACE_LEN..).unwrap_or_default())
}

fn granted(frames: &[Frame]) -> u64 {
    frames.iter().filter_map(Frame::grant).sum()
}

/// The result of a connection.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    /// The frames that `h2` gets, without the grants to the connection. The sum of these grants is
    /// separate, together with the window held back.
    shown: Vec<Frame>,
    rest: Vec<u8>,
    window: u64,
    notes: Vec<(u32, String)>,
    lost_sync: bool,
    /// The frames written.
    answers: Vec<Frame>,
    /// The authorities that were decided, in order.
    asked: Vec<Vec<u8>>,
}

/// The time at which answers are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writing {
    /// After everything is read.
    Late,
    /// Between any two reads.
    AtOnce,
}

/// Flushes a stream that accepts everything.
fn flush<T: AsyncWrite + Unpin>(transport: &mut T) {
    let mut context = Context::from_waker(Waker::noop());
    let flushed = Pin::new(transport).poll_flush(&mut context);
    assert!(matches!(flushed, Poll::Ready(Ok(()))), "a script takes all there is");
}

fn run<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    buf_len: usize,
    writing: Writing,
) -> Outcome {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let decide = {
        let asked = Rc::clone(&asked);
        move |target: &RequestTarget<'_>| {
            let authority = target.authority.unwrap_or_default();
            asked.borrow_mut().push(authority.to_vec());
            // Any other request goes to `h2`.
            if authority.starts_with(b"a") {
                Verdict::Malformed(Malformed::NoAuthority)
            } else {
                Verdict::Misdirected(Misdirected::UnknownAuthority)
            }
        }
    };
    let script = Script::new(chunks);
    let written = script.written();
    let (mut transport, probe) = fuzz_bridge::transport(script, decide, true);
    let mut context = Context::from_waker(Waker::noop());
    let first = Pin::new(&mut transport).poll_write(&mut context, FIRST_FRAME);
    assert!(matches!(first, Poll::Ready(Ok(len)) if len == FIRST_FRAME.len()));
    let mut shown = Vec::new();
    read_to_end(&mut transport, buf_len, |transport, part| {
        shown.extend_from_slice(part);
        if writing == Writing::AtOnce {
            flush(transport);
        }
    });
    let held = u64::from(probe.window_reserve());
    flush(&mut transport);
    let written = written.borrow();
    let (mut answers, rest) = frames(written.strip_prefix(FIRST_FRAME).expect("it goes first"));
    assert_eq!(rest, b"", "an answer is cut");
    for answer in answers.iter_mut().filter(|answer| answer.kind == HEADERS) {
        // The clock may have moved to the next second in between.
        answer.bytes.truncate(answer.bytes.len() - DATE_LEN);
    }
    let (mut frames, rest) = of_client(&shown);
    let window = granted(&frames) + held;
    frames.retain(|frame| frame.grant().is_none());
    Outcome {
        shown: frames,
        rest: rest.to_vec(),
        window,
        notes: probe.take_notes(),
        lost_sync: probe.has_lost_sync(),
        answers,
        asked: asked.take(),
    }
}

/// Reads a connection in pieces, and asserts, for any bytes of a client:
///
/// - the outcome does not depend on the pieces, nor on the buffers that `h2` offers;
/// - window is conserved: the client's grants equal the sum of the window passed to `h2`, the
///   window used by answers, and the window held back;
/// - no stream is answered twice, nor opened by `h2` as well;
/// - each refusal is one answer, in order, and no request is decided twice;
/// - answers are complete frames.
pub fn answer(chunks: &[&[u8]]) {
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
    // A larger grant is an error of the client, which `h2` handles.
    if granted < (1 << 31) - 65_535 {
        assert_eq!(accounted, granted, "window is not conserved");
    }
    let mut answered = BTreeSet::new();
    for frame in &outcome.answers {
        match frame.kind {
            HEADERS | RST_STREAM => {
                assert!(answered.last().is_none_or(|&last| last < frame.stream_id), "order");
                assert!(answered.insert(frame.stream_id), "answered twice");
            }
            _ => assert!(answered.contains(&frame.stream_id), "content without fields"),
        }
    }
    // `h2` itself notices streams below one that it was shown.
    let mut highest = 0;
    for frame in outcome.shown.iter().filter(|frame| frame.kind == HEADERS && !outcome.lost_sync) {
        let opens = frame.stream_id > highest;
        assert!(!opens || !answered.contains(&frame.stream_id), "h2 got an answered request");
        highest = highest.max(frame.stream_id);
    }
    let refused = outcome.asked.iter().filter(|authority| !authority.starts_with(b"a"));
    assert_eq!(answered.len(), refused.count(), "refusals and answers differ in number");
    let opened = sent.iter().filter(|frame| frame.kind == HEADERS).count();
    assert!(outcome.asked.len() <= opened, "asked twice");
}
