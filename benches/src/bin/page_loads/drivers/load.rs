//! Loads a page: sends the requests of a wave together, and checks the answers.

use std::fmt::Display;
use std::time::Instant;

use anyhow::{Result, bail};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::trace::{Fetch, Trace};

/// The field with the host that the server read from the request.
pub(crate) const SERVED_BY: &str = "served-by";

/// The report of one page load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// The time from the first request to the last answer.
    pub(crate) milliseconds: f64,
    /// The right answers.
    pub(crate) right: usize,
    /// Answers with another status, host or length.
    pub(crate) wrong: usize,
    /// Requests without an answer.
    pub(crate) failed: usize,
}

impl Loaded {
    /// Adds an answer, if it has the right status, host and length.
    pub(crate) fn add(&mut self, fetch: &Fetch, answer: &Answer) {
        let is_right = answer.status == StatusCode::OK.as_u16()
            && answer.served_by == fetch.host
            && answer.bytes == fetch.bytes;
        *(if is_right { &mut self.right } else { &mut self.wrong }) += 1;
    }

    /// Returns an error unless all answers are right.
    pub(crate) fn check(&self, trace: &Trace) -> Result<()> {
        let requests = trace.waves.iter().map(Vec::len).sum::<usize>();
        if self.right != requests || self.wrong > 0 || self.failed > 0 {
            bail!("{} of {requests} answers are right: {self:?}", self.right);
        }
        Ok(())
    }
}

/// The parts of an answer that are checked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) served_by: String,
    pub(crate) bytes: usize,
}

impl Answer {
    pub(crate) fn new(status: StatusCode, fields: &HeaderMap, bytes: usize) -> Self {
        let served_by = fields.get(SERVED_BY).and_then(|value| value.to_str().ok());
        Self { status: status.as_u16(), served_by: served_by.unwrap_or_default().into(), bytes }
    }
}

/// Loads a page. `get` fetches a URL.
pub(crate) async fn load<F, E>(trace: &Trace, get: impl Fn(String) -> F) -> Loaded
where
    F: Future<Output = Result<Answer, E>> + Send + 'static,
    E: Display + Send + 'static,
{
    let mut loaded = Loaded::default();
    let start = Instant::now();
    for wave in &trace.waves {
        let mut running = JoinSet::new();
        for (at, fetch) in wave.iter().enumerate() {
            let answer = get(fetch.url());
            running.spawn(async move { (at, answer.await) });
        }
        while let Some(done) = running.join_next().await {
            match done {
                Ok((at, Ok(answer))) => loaded.add(&wave[at], &answer),
                Ok((at, Err(error))) => {
                    use std::io::Write as _;
                    let url = wave[at].url();
                    // If standard error is closed, the count still reports the failure.
                    let _ = writeln!(std::io::stderr().lock(), "{url}: {error:#}");
                    loaded.failed += 1;
                }
                Err(_) => loaded.failed += 1,
            }
        }
    }
    loaded.milliseconds = start.elapsed().as_secs_f64() * 1e3;
    loaded
}
