//! One whole HTTP/2 connection: a client sends frames, in order or not, to the adapter over a
//! stream in memory, and an application answers.
//!
//! This target has its own readers for the octets of both sides, so requests and answers are read
//! independently. The model judges them.

mod application;
mod client;
mod frames;
mod stream;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use arbitrary::{Result, Unstructured};
use coalesce_core::{AuthorityTable, RequestTarget, ServerConnection, decide};
use coalesce_h2::{Builder, MisdirectedContent, OriginSet};

use crate::build::with_connection;
use crate::generate::{self, seldom};
use crate::model::{self, Facts, Method, Outcome, Request, World};
use application::{Application, waits};
use client::Script;
use frames::{Answers, Requests, Windows};
use stream::Stream;

/// RFC 9113 §7.
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// The most polls of a connection for each action of its client, each write and each request.
const POLLS_EACH: usize = 4;

/// The settings of a server, and the pace at which its client reads.
#[derive(Debug)]
struct Settings {
    builder: Builder,
    announces: bool,
    /// Whether few refusals in a row end the connection.
    has_budget: bool,
    taken_at_once: usize,
    /// One of this number of writes has to wait.
    pause: usize,
}

fn settings(u: &mut Unstructured<'_>) -> Result<Settings> {
    let mut builder = Builder::new().answer_early(u.ratio(3, 4)?).batch_writes(u.ratio(3, 4)?);
    if u.arbitrary()? {
        builder = builder.announce_extended_connect();
    }
    if seldom(u, 4)? {
        builder = builder.misdirected_content(MisdirectedContent::Empty);
    }
    let has_budget = seldom(u, 8)?;
    if has_budget {
        builder = builder.refused_in_a_row(NonZeroU32::new(2));
    }
    Ok(Settings {
        builder,
        announces: seldom(u, 4)?,
        has_budget,
        taken_at_once: *u.choose(&[usize::MAX, usize::MAX, 1_000, 61])?,
        pause: *u.choose(&[usize::MAX, usize::MAX, 5, 2])?,
    })
}

/// Checks, for any octets of a client:
///
/// - the application gets exactly the requests that the model serves, with the expected proof;
/// - an answer is 200 if something was served, 421 if the model says misdirected (always the same
///   421), 400 or 405 if it says malformed; each stream gets one answer, and nothing after its end;
/// - frames are complete, and no more content is sent than the client has granted window for;
/// - only origins that the model serves are announced;
/// - the connection is polled only when it was woken; the number of polls is limited by the frames
///   sent and written; the connection ends when its client has closed.
///
/// A client that keeps to the protocol, but for malformed fields, also gets a complete answer to
/// each well-formed request, if there is window, and a reset for each refused upload. Its malformed
/// requests are not served, and its connection stays open.
pub fn connection(data: &[u8]) {
    let _ = try_connection(&mut Unstructured::new(data));
}

fn try_connection(u: &mut Unstructured<'_>) -> Result<()> {
    let settings = settings(u)?;
    let has_budget = settings.has_budget;
    let (world, facts, first) = generate::case(u)?;
    let script = client::script(u, &world, &facts, &first)?;
    let (application, written) = with_connection(&world, &facts, |table, connection| {
        run(table, connection, settings, &script)
    });
    let requests = frames::requests(&script.sent);
    let frame_len_max = frames::frame_len_max(&script.sent);
    let answers = Answers::read(&written, script.header_table_max, frame_len_max);
    let windows = frames::windows(&script.sent);
    let case = Case { world: &world, facts: &facts, requests: &requests };
    case.check_served(&application.served);
    case.check_answers(&answers, &application.served);
    for stream in &script.malformed {
        let is_served = application.served.contains_key(stream);
        assert!(!is_served || !script.orderly, "stream {stream} is malformed and served");
    }
    case.check_announced(&answers.origins);
    check_windows(&answers, &windows);
    if script.orderly && !has_budget {
        assert!(requests.all, "a valid request is readable");
        let gone = answers.gone;
        assert!(gone.is_none_or(|code| code == NO_ERROR), "GOAWAY({gone:?}) to an orderly client");
        case.check_that_all_are_answered(&script, &answers, &application.served);
        check_that_answers_are_whole(&script, &answers, &windows);
    }
    Ok(())
}

/// Runs one connection from its preface to its end. Returns the application's view of it and the
/// octets written.
fn run(
    table: &AuthorityTable,
    connection: &ServerConnection<'_>,
    settings: Settings,
    script: &Script,
) -> (Application, Vec<u8>) {
    let mut builder = settings.builder;
    if settings.announces {
        builder = builder.origin_set(OriginSet::new(table, connection));
    }
    let client = Stream::new(&script.pieces, settings.taken_at_once, settings.pause);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut polls = 0;
    let mut events = 0;
    // Waits for a reason to poll. Returns `false` if there will be none.
    let mut wait = |accepted: usize| {
        while !woken.0.swap(false, Ordering::AcqRel) {
            if !client.advance() {
                return false;
            }
            events += 1;
        }
        polls += 1;
        let all = 1 + events + client.writes() + accepted;
        assert!(polls <= POLLS_EACH * all, "{polls} polls for {all} events");
        true
    };
    let mut application = Application::default();
    let judge = |target: &RequestTarget<'_>| decide(table, connection, target);
    let mut handshake = pin!(builder.handshake(client.clone(), judge));
    let opened = loop {
        assert!(wait(0), "the handshake waits without a waker");
        if let Poll::Ready(opened) = handshake.as_mut().poll(&mut context) {
            break opened;
        }
    };
    if let Ok(mut opened) = opened {
        woken.0.store(true, Ordering::Release);
        'open: loop {
            assert!(wait(application.served.len()), "the connection waits without a waker");
            loop {
                match opened.poll_accept(&mut context) {
                    Poll::Ready(Some(Ok(accepted))) => application.accept(accepted),
                    Poll::Ready(Some(Err(_))) => {}
                    Poll::Ready(None) => break 'open,
                    Poll::Pending => break,
                }
            }
            application.read_uploads(&mut context);
        }
    }
    (application, client.take_written())
}

/// Whether the connection has to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Case<'a> {
    world: &'a World,
    facts: &'a Facts,
    requests: &'a Requests,
}

impl Case<'_> {
    /// Returns the expected result of the request on a stream, or `None` if only the server can
    /// read it.
    fn expected(&self, stream: u32) -> Option<Outcome> {
        let asked = self.requests.streams.get(&stream);
        assert!(asked.is_some() || !self.requests.all, "no request on stream {stream}");
        Some(model::decide(self.world, self.facts, &asked?.request))
    }

    fn check_served(&self, served: &BTreeMap<u32, Outcome>) {
        for (stream, proof) in served {
            let Some(expected) = self.expected(*stream) else { continue };
            assert_eq!(*proof, expected, "stream {stream}");
        }
    }

    fn check_answers(&self, answers: &Answers, served: &BTreeMap<u32, Outcome>) {
        let mut fields_of_421 = None;
        let mut content_of_421 = None;
        for (stream, answer) in &answers.streams {
            let Some(status) = answer.status() else { continue };
            let Some(expected) = self.expected(*stream) else { continue };
            let is_head = self.requests.streams.get(stream).is_some_and(|asked| asked.head);
            match status {
                "200" => assert!(served.contains_key(stream), "stream {stream} is not served"),
                "421" => {
                    assert!(matches!(expected, Outcome::Misdirected(_)), "421 for {expected:?}");
                    let fields = answer.fields.iter().filter(|(name, _)| name != "date");
                    let fields: Vec<_> = fields.cloned().collect();
                    // All 421s must look the same.
                    assert_eq!(*fields_of_421.get_or_insert_with(|| fields.clone()), fields);
                    if answer.ended && !is_head {
                        let content = &answer.content;
                        assert_eq!(*content_of_421.get_or_insert(content), content);
                    }
                }
                "400" | "405" => {
                    assert!(matches!(expected, Outcome::Malformed(_)), "{status} for {expected:?}");
                }
                // The status of `h2` for a too large header.
                "431" => {}
                other => panic!("status {other}"),
            }
            let length = answer.fields.iter().find(|(name, _)| name == "content-length");
            if let Some((_, length)) = length.filter(|_| answer.ended && !is_head) {
                assert_eq!(*length, answer.content.len().to_string(), "stream {stream}");
            }
            assert!(!is_head || answer.content.is_empty(), "content for HEAD on {stream}");
        }
    }

    fn check_announced(&self, origins: &[String]) {
        for origin in origins {
            let (scheme, authority) = origin.split_once("://").expect("an origin has a scheme");
            let request = Request {
                authority: Some(authority.as_bytes().to_vec()),
                hosts: Vec::new(),
                scheme: Some(scheme.as_bytes().to_vec()),
                method: Method::Ordinary,
            };
            let outcome = model::decide(self.world, self.facts, &request);
            assert!(matches!(outcome, Outcome::VirtualHost(_)), "{origin} is {outcome:?}");
        }
    }

    fn check_that_all_are_answered(
        &self,
        script: &Script,
        answers: &Answers,
        served: &BTreeMap<u32, Outcome>,
    ) {
        for stream in script.asked.difference(&script.reset) {
            let answer = answers.streams.get(stream);
            let status = answer.and_then(|answer| answer.status());
            let reset = answer.and_then(|answer| answer.reset);
            let over = served.contains_key(stream) || status.is_some() || reset.is_some();
            assert!(over, "no answer on stream {stream}");
            if served.contains_key(stream)
                && !(waits(*stream) && script.unfinished.contains(stream))
            {
                assert_eq!(status, Some("200"), "stream {stream}");
            }
            // An incomplete request may not count as a request for `h2`.
            let asked = self.requests.streams.get(stream);
            if script.malformed.contains(stream) || !asked.is_some_and(|asked| asked.whole) {
                continue;
            }
            match self.expected(*stream).expect("a valid request is readable") {
                // The answer was waiting when the client took window back. The reset lets the
                // client ask again.
                Outcome::Misdirected(_) if script.shrinks && reset == Some(REFUSED_STREAM) => {}
                Outcome::Misdirected(reason) => {
                    assert_eq!(status, Some("421"), "{reason} on stream {stream}");
                    assert!(reset.is_none_or(|code| code == NO_ERROR), "{reset:?} on {stream}");
                }
                Outcome::Malformed(_) => {}
                _ => assert!(served.contains_key(stream), "stream {stream} is not served"),
            }
        }
    }
}

/// Checks that answers are complete, unless the client takes back window. An incomplete answer
/// waits for window or for the client. The rest of a refused upload is not wanted (RFC 9113 §8.1).
fn check_that_answers_are_whole(script: &Script, answers: &Answers, windows: &Windows) {
    if script.shrinks {
        return;
    }
    let all: u64 = answers.streams.values().map(|answer| answer.content.len() as u64).sum();
    let connection_is_full = all >= windows.for_stream(0).last();
    for (stream, answer) in &answers.streams {
        let is_full = answer.content.len() as u64 >= windows.for_stream(*stream).last();
        if answer.reset.is_some() || script.reset.contains(stream) || connection_is_full || is_full
        {
            continue;
        }
        assert!(answer.ended, "incomplete answer on stream {stream}, although there is window");
        let refused = answer.status().is_some_and(|status| ["400", "405", "421"].contains(&status));
        assert!(!(refused && script.unfinished.contains(stream)), "no reset on stream {stream}");
    }
}

fn check_windows(answers: &Answers, windows: &Windows) {
    let mut all = 0;
    for (stream, answer) in &answers.streams {
        let granted = windows.for_stream(*stream).most();
        let len = answer.content.len() as u64;
        assert!(len <= granted, "{len} octets on stream {stream}, {granted} are granted");
        all += len;
    }
    let granted = windows.for_stream(0).most();
    assert!(all <= granted, "{all} octets, {granted} are granted");
}
