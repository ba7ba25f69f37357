//! Runs resolutions: queries in parallel, the search list, and the cache.

use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use coalesce_core::DnsNameBuf;
use coalesce_pool::Endpoint;
use tokio::time::{Instant, sleep_until};

use super::cache::Cache;
use super::contract::{EndpointStream, Question};
use super::limits::{FAILURE_TTL_MAX, SEARCH_MAX, TTL_MAX};
use super::merge::Merge;
use super::records::{Query, QueryError, Reply};
use super::stream::{self, Endpoints};

/// A running query.
pub(super) type Looking = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Answers queries.
pub(super) trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// Returns whether the name has its addresses from this machine. Then it is complete, and DNS
    /// is not asked for HTTPS records, which could lead to another machine.
    fn is_local(&self, name: &DnsNameBuf) -> bool;

    /// Starts one query. The name is complete.
    fn lookup(&self, query: &Query) -> Looking;
}

/// The candidates for a short name (resolv.conf(5), `search` and `ndots`).
#[derive(Debug)]
pub(super) struct SearchList {
    pub(super) ndots: usize,
    pub(super) suffixes: Vec<DnsNameBuf>,
}

impl SearchList {
    /// Returns the complete names to try, in order.
    fn candidates(&self, name: &DnsNameBuf) -> Vec<DnsNameBuf> {
        let dots = name.as_ref().split(|byte| *byte == b'.').skip(1).count();
        let suffixes = self.suffixes.iter().take(SEARCH_MAX);
        let mut names: Vec<DnsNameBuf> =
            suffixes.filter_map(|suffix| format!("{name}.{suffix}").parse().ok()).collect();
        let place = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(place, name.clone());
        names
    }
}

/// Resolves hosts with queries for A, AAAA and HTTPS records, and remembers the answers.
#[derive(Debug)]
pub(super) struct Resolution<L> {
    lookup: L,
    search: SearchList,
    cache: Mutex<Cache>,
    start: Instant,
    delay: Duration,
}

/// The result of a resolution.
struct Outcome {
    endpoints: Vec<Endpoint>,
    /// The reason why a query failed.
    failure: Option<String>,
    ttl: Duration,
}

impl<L: Lookup> Resolution<L> {
    pub(super) fn new(lookup: L, search: SearchList, delay: Duration) -> Self {
        Self { lookup, search, cache: Mutex::default(), start: Instant::now(), delay }
    }

    #[cfg(test)]
    pub(super) const fn lookup(&self) -> &L {
        &self.lookup
    }

    /// Starts a resolution, or answers from the cache.
    pub(super) fn resolve(self: &Arc<Self>, question: Question) -> EndpointStream {
        if let Some(known) = self.remembered(&question) {
            return stream::once(match known.as_slice() {
                [] => Err(no_address(&question).into()),
                _ => Ok(known),
            });
        }
        let this = Arc::clone(self);
        stream::stream(|endpoints| async move { this.run(question, &endpoints).await })
    }

    fn remembered(&self, question: &Question) -> Option<Vec<Endpoint>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.get(question, self.start.elapsed()).map(<[Endpoint]>::to_vec)
    }

    async fn run(&self, question: Question, endpoints: &Endpoints) {
        let mut ttl = TTL_MAX;
        let local = self.lookup.is_local(&question.name);
        let names = if local {
            vec![question.name.clone()]
        } else {
            self.search.candidates(&question.name)
        };
        for name in names {
            let https = question.https && !local;
            let candidate = Question { name, https, ..question.clone() };
            let mut outcome = self.resolve_one(candidate, endpoints).await;
            ttl = ttl.min(outcome.ttl);
            match outcome.failure.take() {
                _ if !outcome.endpoints.is_empty() => {
                    return self.remember(question, outcome.endpoints, ttl);
                }
                // The next name could be another host than the one that was not found.
                Some(failure) => {
                    return endpoints.fail(format!("{}: {failure}", no_address(&question)).into());
                }
                None => {}
            }
        }
        endpoints.fail(no_address(&question).into());
        self.remember(question, Vec::new(), ttl);
    }

    fn remember(&self, question: Question, endpoints: Vec<Endpoint>, ttl: Duration) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(question, endpoints, ttl, self.start.elapsed());
    }

    async fn resolve_one(&self, question: Question, endpoints: &Endpoints) -> Outcome {
        let start = Instant::now();
        let mut ttl = TTL_MAX;
        let mut merge = Merge::new(question, self.delay);
        let mut running: Vec<(Query, Looking)> = Vec::new();
        loop {
            while let Some(query) = merge.poll_query() {
                running.push((query.clone(), self.lookup.lookup(&query)));
            }
            if let Some(new) = merge.poll_endpoints(start.elapsed()) {
                endpoints.send(new);
            }
            if merge.is_done(start.elapsed()) {
                break;
            }
            // A time in the past has had its effect.
            let until = merge.poll_timeout().filter(|until| *until > start.elapsed());
            let timer = async {
                match until {
                    Some(until) => sleep_until(start + until).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                (query, reply) = next(&mut running) => {
                    ttl = ttl.min(time_to_live(&reply));
                    merge.handle_reply(start.elapsed(), &query, &reply);
                }
                () = timer => {}
            }
        }
        if !running.is_empty() {
            ttl = ttl.min(FAILURE_TTL_MAX);
        }
        let failure = merge.failure().map(str::to_owned);
        Outcome { endpoints: merge.into_endpoints(), failure, ttl }
    }
}

fn time_to_live(reply: &Reply) -> Duration {
    match &reply.result {
        Err(QueryError::Failed(_)) => FAILURE_TTL_MAX,
        _ => reply.ttl,
    }
}

fn no_address(question: &Question) -> String {
    format!("no address for {}", question.name)
}

/// Waits for the first query that ends, and removes it.
async fn next(running: &mut Vec<(Query, Looking)>) -> (Query, Reply) {
    poll_fn(|context| {
        for place in 0..running.len() {
            if let Some((_, looking)) = running.get_mut(place)
                && let Poll::Ready(reply) = looking.as_mut().poll(context)
            {
                let (query, _) = running.swap_remove(place);
                return Poll::Ready((query, reply));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::IpAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::resolve::limits::RESOLUTION_DELAY;
    use crate::resolve::records::{RecordKind, Records};
    use crate::resolve::testing::{addresses, question};

    /// Answers with an address, after a time in milliseconds.
    #[derive(Debug, Default)]
    struct Script {
        answers: HashMap<(&'static str, char), (u64, Reply)>,
        asked: AtomicUsize,
    }

    impl Script {
        fn on(mut self, name: &'static str, kind: char, time: u64, reply: Reply) -> Self {
            self.answers.insert((name, kind), (time, reply));
            self
        }
    }

    fn ttl(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn address(address: &str, seconds: u64) -> Reply {
        let found: IpAddr = address.parse().unwrap();
        Reply { result: Ok(Records::Addresses(vec![found])), ttl: ttl(seconds) }
    }

    fn absent(seconds: u64) -> Reply {
        Reply { result: Err(QueryError::Absent), ttl: ttl(seconds) }
    }

    fn failed() -> Reply {
        Reply { result: Err(QueryError::Failed("no answer".to_owned())), ttl: ttl(0) }
    }

    impl Lookup for Script {
        fn is_local(&self, name: &DnsNameBuf) -> bool {
            name.to_string() == "local"
        }

        fn lookup(&self, query: &Query) -> Looking {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let kind = match query.kind {
                RecordKind::A => '4',
                RecordKind::Aaaa => '6',
                RecordKind::Https => 'h',
            };
            let name = query.name.to_string();
            let answer = self.answers.iter().find(|(key, _)| **key == (name.as_str(), kind));
            let (time, reply) =
                answer.map_or((0, absent(3600)), |(_, (time, reply))| (*time, reply.clone()));
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(time)).await;
                reply
            })
        }
    }

    fn resolution(script: Script, suffixes: &[&str]) -> Arc<Resolution<Script>> {
        let suffixes = suffixes.iter().map(|it| it.parse().unwrap()).collect();
        Arc::new(Resolution::new(script, SearchList { ndots: 1, suffixes }, RESOLUTION_DELAY))
    }

    async fn ask(resolution: &Arc<Resolution<Script>>, host: &str) -> Result<Vec<String>, String> {
        addresses(resolution.resolve(question(host, 443))).await.map_err(|it| it.to_string())
    }

    fn asked(resolution: &Resolution<Script>) -> usize {
        resolution.lookup.asked.swap(0, Ordering::SeqCst)
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_remembered_for_the_shortest_time_to_live() {
        let script = Script::default().on("a.test", '4', 5, address("192.0.2.1", 60)).on(
            "a.test",
            '6',
            5,
            address("2001:db8::1", 20),
        );
        let resolution = resolution(script, &[]);
        let both = Ok(["[2001:db8::1]:443", "192.0.2.1:443"].map(str::to_owned).to_vec());
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (both.clone(), 3));
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (both.clone(), 0));
        tokio::time::sleep(ttl(19)).await;
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (both.clone(), 0));
        tokio::time::sleep(ttl(1)).await;
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (both, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn absent_host_is_remembered_and_a_failure_is_not() {
        let script =
            Script::default().on("b.test", '4', 5, failed()).on("b.test", '6', 5, failed());
        let resolution = resolution(script, &[]);
        let absent = Err("no address for a.test".to_owned());
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (absent.clone(), 3));
        assert_eq!((ask(&resolution, "a.test").await, asked(&resolution)), (absent, 0));
        let failed = Err("no address for b.test: no answer".to_owned());
        assert_eq!((ask(&resolution, "b.test").await, asked(&resolution)), (failed.clone(), 3));
        assert_eq!((ask(&resolution, "b.test").await, asked(&resolution)), (failed, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn https_query_without_answer_delays_nothing_and_is_not_repeated_at_once() {
        let script = Script::default().on("a.test", '4', 5, address("192.0.2.1", 3600)).on(
            "a.test",
            'h',
            1_000_000,
            failed(),
        );
        let resolution = resolution(script, &[]);
        let start = Instant::now();
        let mut stream = resolution.resolve(question("a.test", 443));
        let first = crate::resolve::next_endpoints(&mut stream).await.unwrap().unwrap();
        assert_eq!((first.len(), start.elapsed().as_millis()), (1, 55));
        assert!(crate::resolve::next_endpoints(&mut stream).await.is_none());
        assert_eq!(start.elapsed().as_millis(), 1005);
        assert_eq!(asked(&resolution), 3);
        assert!(ask(&resolution, "a.test").await.is_ok());
        assert_eq!(asked(&resolution), 0);
        tokio::time::sleep(FAILURE_TTL_MAX).await;
        assert!(ask(&resolution, "a.test").await.is_ok());
        assert_eq!(asked(&resolution), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn name_of_this_machine_is_neither_completed_nor_asked_for_https() {
        let script = Script::default().on("local", '4', 0, address("192.0.2.1", 60)).on(
            "local.x.test",
            '4',
            0,
            address("192.0.2.2", 60),
        );
        let resolution = resolution(script, &["x.test"]);
        let found = ask(&resolution, "local").await;
        assert_eq!((found, asked(&resolution)), (Ok(vec!["192.0.2.1:443".to_owned()]), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn short_name_is_completed_first_and_a_long_one_last() {
        let script = Script::default()
            .on("a.x.test", '4', 5, address("192.0.2.1", 60))
            .on("b.test", '4', 5, address("192.0.2.2", 60))
            .on("b.test.x.test", '4', 5, address("192.0.2.3", 60))
            .on("c.test.y.test", '4', 5, address("192.0.2.4", 60))
            .on("d.x.test", '4', 5, failed())
            .on("d.y.test", '4', 5, address("192.0.2.5", 60));
        let resolution = resolution(script, &["x.test", "y.test"]);
        let one = |address: &str| Ok(vec![address.to_owned()]);
        assert_eq!(ask(&resolution, "a").await, one("192.0.2.1:443"));
        assert_eq!(ask(&resolution, "b.test").await, one("192.0.2.2:443"));
        assert_eq!(ask(&resolution, "c.test").await, one("192.0.2.4:443"));
        assert_eq!(ask(&resolution, "d").await, Err("no address for d: no answer".to_owned()));
    }
}
