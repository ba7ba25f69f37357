//! Resolvers that count, and resolvers that are slow.

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use coalesce_client::{
    EndpointStream, ErrorKind, FixedResolver, ProxyConfig, Question, Resolve, ResolveError,
};
use coalesce_pool::Endpoint;
use tokio::time::{Sleep, sleep};

use crate::support::{Ca, in_time};

/// Counts the questions, and answers none.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl Resolve for Counting {
    fn resolve(&self, question: Question) -> EndpointStream {
        self.0.fetch_add(1, Ordering::SeqCst);
        FixedResolver::new().resolve(question)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explanation_through_a_proxy_resolves_nothing() {
    in_time(async {
        let asked = Arc::new(AtomicUsize::new(0));
        let builder = || {
            let ca = Ca::new();
            ca.client("127.0.0.1:1".parse().unwrap()).resolver(Counting(Arc::clone(&asked)))
        };
        let direct = builder().build().unwrap();
        direct.explain("https://a.test/").await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let proxy = ProxyConfig::new("http://192.0.2.1:3128").unwrap();
        let proxied = builder().proxy(proxy).build().unwrap();
        proxied.explain("https://a.test/").await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    })
    .await;
}

/// Answers with an endpoint at once, and ends later.
#[derive(Debug)]
struct Slow(Endpoint);

struct Answer {
    first: Option<Endpoint>,
    end: Pin<Box<Sleep>>,
}

impl Resolve for Slow {
    fn resolve(&self, _: Question) -> EndpointStream {
        let end = Box::pin(sleep(Duration::from_millis(300)));
        Box::pin(Answer { first: Some(self.0), end })
    }
}

impl futures_core::Stream for Answer {
    type Item = Result<Vec<Endpoint>, ResolveError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.first.take() {
            Some(endpoint) => Poll::Ready(Some(Ok(vec![endpoint]))),
            None => self.end.as_mut().poll(context).map(|()| None),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn error_has_its_cause_if_the_resolution_ends_after_the_attempt() {
    in_time(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let client = Ca::new().client(address).resolver(Slow(Endpoint::new(address)));
        let error = client.build().unwrap().get("https://a.test/").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        let source = error.source().unwrap().to_string();
        assert!(source.contains(&address.to_string()), "{source}");
    })
    .await;
}
