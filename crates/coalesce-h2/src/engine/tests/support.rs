//! Engines for tests, and the results of a connection.

use std::cell::Cell;
use std::sync::Arc;

use coalesce_core::{Malformed, Misdirected, RequestTarget, Verdict};

use super::super::{Engine, ExtendedConnect, Settings, Shared, Target};
use super::harness::script::{Script, read_to_end};
use crate::answer::Answers;
use crate::transport::Transport;
use crate::{Decide, MisdirectedContent};

/// A decision for tests in which no request is misdirected.
pub(super) fn pass(_: &RequestTarget<'_>) -> Verdict {
    Verdict::Malformed(Malformed::NoAuthority)
}

pub(super) type Pass = fn(&RequestTarget<'_>) -> Verdict;

/// Makes an engine that answers early, with this content.
pub(super) fn answering<D: for<'a> Decide<RequestTarget<'a>>>(
    decide: D,
    content: &MisdirectedContent,
) -> Engine<D> {
    Engine::new(decide, settings(content, true, ExtendedConnect::Announced))
}

/// Makes an engine that answers nothing early.
pub(super) fn passing(extended_connect: ExtendedConnect) -> Engine<Pass> {
    Engine::new(pass, settings(&MisdirectedContent::Json, false, extended_connect))
}

fn settings(
    content: &MisdirectedContent,
    answer_early: bool,
    extended_connect: ExtendedConnect,
) -> Settings {
    let mut answers = Answers::default();
    answers.set_misdirected_content(content.clone());
    let answers = Arc::new(answers);
    Settings { refused_in_a_row: None, answers, answer_early, extended_connect }
}

/// Refuses every authority that does not begin with the letter `a`, and counts its calls.
#[derive(Debug, Default)]
pub(super) struct Asked(pub(super) Cell<usize>);

impl<'a> Decide<RequestTarget<'a>> for &Asked {
    fn decide(&self, target: &RequestTarget<'a>) -> Verdict {
        self.0.set(self.0.get() + 1);
        if target.authority.unwrap_or_default().starts_with(b"a") {
            pass(target)
        } else {
            Verdict::Misdirected(Misdirected::UnknownAuthority)
        }
    }
}

/// The bytes for `h2` and the notes of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Outcome {
    pub(super) bytes: Vec<u8>,
    pub(super) targets: Vec<Target>,
    pub(super) lost_sync: bool,
}

/// Reads a whole connection without early answers.
pub(super) fn read_all(bytes: &[u8]) -> (Outcome, Shared<Engine<Pass>>) {
    read_pieces([bytes], 8192)
}

/// Reads a connection whose client sends these pieces, `buf_len` bytes at a time.
pub(super) fn read_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    buf_len: usize,
) -> (Outcome, Shared<Engine<Pass>>) {
    let engine = Shared::new(passing(ExtendedConnect::Withheld));
    let shown = show_pieces(pieces, buf_len, &engine);
    let (targets, lost_sync) = {
        let mut engine = engine.lock();
        (engine.take_notes(), engine.has_lost_sync())
    };
    (Outcome { bytes: shown, targets, lost_sync }, engine)
}

/// Returns the bytes that `h2` gets.
pub(super) fn show<D: for<'a> Decide<RequestTarget<'a>>>(
    bytes: &[u8],
    engine: &Shared<Engine<D>>,
) -> Vec<u8> {
    show_pieces([bytes], 8192, engine)
}

fn show_pieces<'b, D: for<'a> Decide<RequestTarget<'a>>>(
    pieces: impl IntoIterator<Item = &'b [u8]>,
    buf_len: usize,
    engine: &Shared<Engine<D>>,
) -> Vec<u8> {
    let mut transport = Transport::new(Script::new(pieces), engine.clone());
    let mut shown = Vec::new();
    read_to_end(&mut transport, buf_len, |_, part| shown.extend_from_slice(part));
    shown
}
