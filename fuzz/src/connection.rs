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
use std::task::{Context, Poll, Waker};

use arbitrary::{Result, Unstructured};
use coalesce_core::{AuthorityTable, Connection, RequestTarget, decide};
use coalesce_h2::{Builder, MisdirectedContent, OriginSet};

use crate::build::with_connection;
use crate::generate::{self, seldom};
use crate::model::{self, Facts, Method, Outcome, Request, World};
use application::Application;
use client::Script;
use frames::{Answers, Requests, Windows};
use stream::Stream;

/// RFC 9113 §7.
const NO_ERROR: u32 = 0;
const REFUSED_STREAM: u32 = 7;

/// How often a connection may be polled for each piece that its client sends, and for each write.
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
        taken_at_once: *u.choose(&[usize::MAX, usize::MAX, 1_000, 7])?,
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
/// - polls are bounded by what was sent and written.
///
/// A client that keeps to the protocol gets an answer to each of its requests besides, and its
/// connection stays.
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
    let answers = Answers::read(&written, script.header_table_max);
    let case = Case { world: &world, facts: &facts, requests: &requests };
    case.check_served(&application.served);
    case.check_answers(&answers, &application.served);
    case.check_announced(&answers.origins);
    check_windows(&answers, &frames::windows(&script.sent));
    if script.orderly && !has_budget {
        assert!(requests.all, "what is in order can be read");
        assert!(answers.gone.is_none_or(|code| code == NO_ERROR), "{:?} in peace", answers.gone);
        case.check_that_all_are_answered(&script, &answers, &application.served);
    }
    Ok(())
}

/// One connection from its preface to its end; the application's view of it, and what was written.
fn run(
    table: &AuthorityTable<Vec<u8>>,
    connection: &Connection<'_>,
    settings: Settings,
    script: &Script,
) -> (Application, Vec<u8>) {
    let mut builder = settings.builder;
    if settings.announces {
        builder = builder.origin_set(OriginSet::new(table, connection));
    }
    let stream = Stream::new(&script.pieces, settings.taken_at_once, settings.pause);
    let log = stream.log();
    let mut polls = 0;
    let mut count = || {
        polls += 1;
        let events = script.pieces.len() + stream::PATIENCE + log.borrow().writes;
        assert!(polls <= POLLS_EACH * events, "{polls} polls for {events} events");
    };
    let mut context = Context::from_waker(Waker::noop());
    let mut application = Application::default();
    let judge = |target: &RequestTarget<'_>| decide(table, connection, target);
    let mut handshake = pin!(builder.handshake(stream, judge));
    let opened = loop {
        count();
        if let Poll::Ready(opened) = handshake.as_mut().poll(&mut context) {
            break opened;
        }
    };
    if let Ok(mut opened) = opened {
        loop {
            count();
            match opened.poll_accept(&mut context) {
                Poll::Ready(Some(Ok(accepted))) => application.accept(accepted),
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) => break,
                Poll::Pending => application.go_on(&mut context),
            }
        }
    }
    let written = log.take().written;
    (application, written)
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
            assert!(!is_refusal(proof), "stream {stream} is served by a refusal");
        }
    }

    fn check_answers(&self, answers: &Answers, served: &BTreeMap<u32, Outcome>) {
        let mut misdirected = None;
        for (stream, answer) in &answers.streams {
            let (Some(status), Some(expected)) = (answer.status(), self.expected(*stream)) else {
                continue;
            };
            match status {
                "200" => assert!(served.contains_key(stream), "stream {stream} is not served"),
                "421" => {
                    assert!(matches!(expected, Outcome::Misdirected(_)), "421 for {expected:?}");
                    let fields = answer.fields.iter().filter(|(name, _)| name != "date");
                    let fields: Vec<_> = fields.cloned().collect();
                    // Nobody can tell one 421 from another.
                    assert_eq!(*misdirected.get_or_insert_with(|| fields.clone()), fields);
                }
                "400" | "405" => {
                    assert!(matches!(expected, Outcome::Malformed(_)), "{status} for {expected:?}");
                }
                // What `h2` finds too large.
                "431" => {}
                other => panic!("status {other}"),
            }
            let length = answer.fields.iter().find(|(name, _)| name == "content-length");
            let is_head = self.requests.streams.get(stream).is_some_and(|asked| asked.head);
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
                Outcome::Malformed(_) => assert!(status.or(reset.map(|_| "")).is_some()),
                _ => assert!(served.contains_key(stream), "stream {stream} is not served"),
            }
        }
    }
}

const fn is_refusal(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Misdirected(_) | Outcome::Malformed(_))
}

fn check_windows(answers: &Answers, windows: &Windows) {
    let mut all = 0;
    for (stream, answer) in &answers.streams {
        let granted = windows.of(*stream);
        let len = answer.content.len() as u64;
        assert!(len <= granted, "{len} octets on stream {stream}, {granted} are granted");
        all += len;
    }
    let granted = windows.of(0);
    assert!(all <= granted, "{all} octets, {granted} are granted");
}
