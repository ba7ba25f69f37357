//! Sends all requests at once, and takes their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use coalesce_client::{Client, Trail};
use http::Request;
use http::response::Parts;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use tokio::task::JoinSet;

use crate::get::contents::Sink;
use crate::get::failure;
use crate::get::plan::{Place, Planned};
use crate::get::report::RequestReport;
use crate::get::target::Target;
use crate::get::trail;
use crate::terminal::exit::Failure;
use crate::terminal::progress::Progress;

/// The time between two looks at the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// The choices of the user for all exchanges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The time for all of them together.
    pub(super) max_time: Option<Duration>,
    pub(super) content_bytes_max: u64,
    /// Keep no content of a status of 400 or more.
    pub(super) fail: bool,
    /// Write the head before the content.
    pub(super) include: bool,
}

/// The bytes of all contents that have arrived, and those that are announced.
#[derive(Debug, Default)]
struct Received {
    bytes: AtomicU64,
    announced: AtomicU64,
}

/// Sends all requests, and waits for the end of the last answer.
pub(super) async fn fetch_all(
    client: &Client,
    planned: Vec<Planned>,
    rules: Rules,
    progress: &mut Option<Progress>,
) -> Result<Vec<RequestReport>, Failure> {
    let count = planned.len();
    let received = Arc::new(Received::default());
    let mut exchanges = JoinSet::new();
    for (place, planned) in planned.into_iter().enumerate() {
        let (client, received) = (client.clone(), Arc::clone(&received));
        exchanges.spawn(async move { (place, fetch(client, planned, rules, received).await) });
    }
    let mut reports: Vec<_> = (0..count).map(|_| RequestReport::default()).collect();
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        tokio::select! {
            ended = exchanges.join_next() => match ended {
                None => return Ok(reports),
                Some(Err(error)) => return Err(Failure::runtime(error)),
                Some(Ok((place, report))) => {
                    let report = report?;
                    if let Some(slot) = reports.get_mut(place) {
                        *slot = report;
                    }
                }
            },
            _ = ticks.tick() => {}
        }
        if let Some(progress) = progress {
            show(progress, count, count.saturating_sub(exchanges.len()), &received);
        }
    }
}

/// Shows the finished requests, or the bytes of the only one.
fn show(progress: &mut Progress, requests: usize, done: usize, received: &Received) {
    if requests == 1 {
        let announced = received.announced.load(Ordering::Relaxed);
        let of = (announced > 0).then_some(announced);
        progress.at("receiving", received.bytes.load(Ordering::Relaxed), of);
    } else {
        progress.at("fetching", done as u64, Some(requests as u64));
    }
}

/// Sends one request, and reports its result. Fails only if its content cannot be written.
async fn fetch(
    client: Client,
    planned: Planned,
    rules: Rules,
    received: Arc<Received>,
) -> Result<RequestReport, Failure> {
    let begun = Instant::now();
    let Planned { target, request, place } = planned;
    let mut report = RequestReport {
        url: target.uri.to_string(),
        method: request.method().to_string(),
        ..RequestReport::default()
    };
    let exchange = Exchange { target: &target, place, rules, received: &received };
    let exchange = exchange.run(&client, request, &mut report);
    let ended = match rules.max_time {
        Some(time) => tokio::time::timeout(time, exchange).await.ok(),
        None => Some(exchange.await),
    };
    match ended {
        Some(ended) => ended?,
        None => report.error = Some(failure::too_late(&target, rules.max_time)),
    }
    report.milliseconds = begun.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    Ok(report)
}

/// One request and its answer.
struct Exchange<'a> {
    target: &'a Target,
    place: Place,
    rules: Rules,
    received: &'a Received,
}

impl Exchange<'_> {
    async fn run(
        self,
        client: &Client,
        request: Request<Full<Bytes>>,
        report: &mut RequestReport,
    ) -> Result<(), Failure> {
        let response = match client.request(request).await {
            Ok(response) => response,
            Err(error) => {
                if let Some(found) = error.trail() {
                    trail::note(found, report);
                }
                report.error = Some(failure::describe(self.target, &error));
                return Ok(());
            }
        };
        let (head, mut body) = response.into_parts();
        report.status = Some(head.status.as_u16());
        report.protocol = Some(trail::version(head.version));
        if let Some(found) = head.extensions.get::<Trail>() {
            trail::note(found, report);
        }
        let mut sink = self.sink(&head, report)?;
        self.received.announced.fetch_add(body.size_hint().lower(), Ordering::Relaxed);
        while let Some(frame) = body.frame().await {
            let frame = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    report.error = Some(failure::describe(self.target, &error));
                    break;
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            let len = data.len() as u64;
            if report.bytes.saturating_add(len) > self.rules.content_bytes_max {
                let message = failure::too_long(self.target, self.rules.content_bytes_max);
                report.error = Some(message);
                break;
            }
            report.bytes = report.bytes.saturating_add(len);
            self.received.bytes.fetch_add(len, Ordering::Relaxed);
            sink.write(&data)?;
        }
        sink.finish()
    }

    /// Opens the place for the content, and writes the head there if the user wants it.
    fn sink(&self, head: &Parts, report: &mut RequestReport) -> Result<Sink, Failure> {
        if self.rules.fail && head.status.as_u16() >= 400 {
            return Ok(Sink::Nowhere);
        }
        let mut sink = Sink::open(&self.place)?;
        if let Place::File(path) = &self.place {
            report.file = Some(path.display().to_string());
        }
        if self.rules.include {
            sink.write_head(head)?;
        }
        Ok(sink)
    }
}
