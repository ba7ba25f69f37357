//! One whole HTTP/2 connection: the frames of a client, in order or not, into the adapter over a
//! stream in memory, and an application behind it.
//!
//! What the client asked and what it was told is read from the octets of both sides by readers of
//! this target's own, and judged by the model.

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

/// How often a connection may be polled for each thing that its client does, each write, and each
/// request.
const POLLS_EACH: usize = 4;

/// How one server is set up, and how its client takes what it writes.
#[derive(Debug)]
struct Settings {
    builder: Builder,
    announces: bool,
    /// Whether few refusals in a row end the connection.
    has_budget: bool,
    taken_at_once: usize,
    /// Of so many writes, one has to wait.
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

/// Whatever a client sends:
///
/// - what reaches the application is what the model serves, with the proof that it expects;
/// - an answer is 200 where something was served, 421 where the model says misdirected, and the
///   same 421 each time, 400 or 405 where it says malformed: one for a stream, and nothing after
///   its end;
/// - frames are whole, and no more content is sent than the client has granted window for;
/// - only what the model serves is announced;
/// - the connection is polled when it was woken, no more often than is bounded by what was sent and
///   written, and has ended when its client has closed.
///
/// A client that keeps to the protocol gets a whole answer to each of its requests besides, as far
/// as there is window, a reset for each upload that was refused, and its connection stays.
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
    case.check_announced(&answers.origins);
    check_windows(&answers, &windows);
    if script.orderly && !has_budget {
        assert!(requests.all, "what is in order can be read");
        let gone = answers.gone;
        assert!(gone.is_none_or(|code| code == NO_ERROR), "GOAWAY({gone:?}) to an orderly client");
        case.check_that_all_are_answered(&script, &answers, &application.served);
        check_that_answers_are_whole(&script, &answers, &windows);
    }
    Ok(())
}

/// One connection from its preface to its end; the application's view of it, and what was written.
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
    // Until there is a reason to poll; `false` when there will be none any more.
    let mut wait = |accepted: usize| {
        while !woken.0.swap(false, Ordering::AcqRel) {
            if !client.go_on() {
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
        assert!(wait(0), "nobody wakes the handshake");
        if let Poll::Ready(opened) = handshake.as_mut().poll(&mut context) {
            break opened;
        }
    };
    if let Ok(mut opened) = opened {
        woken.0.store(true, Ordering::Release);
        'open: loop {
            assert!(wait(application.served.len()), "nobody wakes the connection");
            loop {
                match opened.poll_accept(&mut context) {
                    Poll::Ready(Some(Ok(accepted))) => application.accept(accepted),
                    Poll::Ready(Some(Err(_))) => {}
                    Poll::Ready(None) => break 'open,
                    Poll::Pending => break,
                }
            }
            application.go_on(&mut context);
        }
    }
    (application, client.take_written())
}

/// Whether the connection is to be polled.
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
    /// What is to become of the request on a stream; `None` if nobody but the server can read it.
    fn expected(&self, stream: u32) -> Option<Outcome> {
        let asked = self.requests.streams.get(&stream);
        assert!(asked.is_some() || !self.requests.all, "nobody asked for anything on {stream}");
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
                    // Nobody can tell one 421 from another.
                    assert_eq!(*fields_of_421.get_or_insert_with(|| fields.clone()), fields);
                    if answer.ended && !is_head {
                        let content = &answer.content;
                        assert_eq!(*content_of_421.get_or_insert(content), content);
                    }
                }
                "400" | "405" => {
                    assert!(matches!(expected, Outcome::Malformed(_)), "{status} for {expected:?}");
                }
                // What `h2` finds too large.
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
            assert!(over, "nothing became of stream {stream}");
            if served.contains_key(stream)
                && !(waits(*stream) && script.unfinished.contains(stream))
            {
                assert_eq!(status, Some("200"), "stream {stream}");
            }
            // What is not a whole request may be no request to `h2`.
            let asked = self.requests.streams.get(stream);
            if !asked.is_some_and(|asked| asked.whole) {
                continue;
            }
            match self.expected(*stream).expect("what is in order can be read") {
                // An answer that waited when the client took room back, so that it may ask again.
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

/// Of a client that takes back no window. What is not whole waits for window, or for the client;
/// and of an upload that was refused the rest is no longer wanted (RFC 9113 §8.1).
fn check_that_answers_are_whole(script: &Script, answers: &Answers, windows: &Windows) {
    if script.shrinks {
        return;
    }
    let all: u64 = answers.streams.values().map(|answer| answer.content.len() as u64).sum();
    let connection_is_full = all >= windows.of(0).last();
    for (stream, answer) in &answers.streams {
        let is_full = answer.content.len() as u64 >= windows.of(*stream).last();
        if answer.reset.is_some() || script.reset.contains(stream) || connection_is_full || is_full
        {
            continue;
        }
        assert!(answer.ended, "the answer on stream {stream} is not whole, and there is window");
        let refused = answer.status().is_some_and(|status| ["400", "405", "421"].contains(&status));
        assert!(!(refused && script.unfinished.contains(stream)), "no reset on stream {stream}");
    }
}

fn check_windows(answers: &Answers, windows: &Windows) {
    let mut all = 0;
    for (stream, answer) in &answers.streams {
        let granted = windows.of(*stream).most();
        let len = answer.content.len() as u64;
        assert!(len <= granted, "{len} octets on stream {stream}, {granted} are granted");
        all += len;
    }
    let granted = windows.of(0).most();
    assert!(all <= granted, "{all} octets, {granted} are granted");
}
