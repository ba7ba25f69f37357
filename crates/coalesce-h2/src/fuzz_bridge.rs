//! The engine under `h2`, for the fuzz targets and the tests; no part of the API.

use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::RequestTarget;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Decide;
use crate::engine::{Engine, ExtendedConnect, Settings, Shared};
use crate::transport::Transport;

/// What can be asked of an engine, and done to it, beside the bytes that pass.
#[derive(Debug)]
pub struct Probe<D>(Shared<Engine<D>>);

/// A byte stream as `h2` would get it, and its engine.
pub fn transport<T, D>(
    io: T,
    decide: D,
    answer_early: bool,
) -> (impl AsyncRead + AsyncWrite + Unpin, Probe<D>)
where
    T: AsyncRead + AsyncWrite + Unpin,
    D: for<'a> Decide<RequestTarget<'a>>,
{
    let settings = Settings {
        refused_in_a_row: None,
        answers: Arc::default(),
        answer_early,
        extended_connect: ExtendedConnect::Announced,
    };
    let engine = Shared::new(Engine::new(decide, settings));
    (Transport::new(io, engine.clone()), Probe(engine))
}

impl<D> Probe<D> {
    /// Takes the notes that wait: the stream of each, and all that it says.
    pub fn take_notes(&self) -> Vec<(u32, String)> {
        let notes = self.0.lock().take_notes();
        notes.iter().map(|target| (target.stream_id(), format!("{target:?}"))).collect()
    }

    /// True if header blocks are no longer inspected.
    pub fn has_lost_sync(&self) -> bool {
        self.0.lock().has_lost_sync()
    }

    /// The window of the connection that `h2` was not told of.
    pub fn window_reserve(&self) -> u32 {
        self.0.lock().window_reserve()
    }

    /// Sets whether writes are collected.
    pub fn set_batching(&self, batching: bool) {
        self.0.lock().set_batching(batching);
    }

    /// Has whole frames sent.
    pub fn announce(&self, frames: Bytes) {
        self.0.lock().announce(frames);
    }

    /// Has no more frames sent.
    pub fn close(&self) {
        self.0.lock().close();
    }
}
