//! Streams of endpoints.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use coalesce_pool::Endpoint;
use futures_core::Stream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::contract::{EndpointStream, ResolveError};

type Item = Result<Vec<Endpoint>, ResolveError>;

/// Returns the next endpoints of a resolution. `None` at its end.
pub(crate) async fn next_endpoints(stream: &mut EndpointStream) -> Option<Item> {
    poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// Returns all endpoints of a resolution, or its first error.
pub(crate) async fn collect(mut stream: EndpointStream) -> Result<Vec<Endpoint>, ResolveError> {
    let mut found = Vec::new();
    while let Some(item) = next_endpoints(&mut stream).await {
        found.extend(item?);
    }
    Ok(found)
}

/// Takes the endpoints of a running resolution.
#[derive(Clone, Debug)]
pub(super) struct Endpoints(UnboundedSender<Item>);

impl Endpoints {
    /// Hands endpoints on. If the caller has gone, they are dropped.
    pub(super) fn send(&self, endpoints: Vec<Endpoint>) {
        if !endpoints.is_empty() {
            let _ = self.0.send(Ok(endpoints));
        }
    }

    /// Hands an error on.
    pub(super) fn fail(&self, error: ResolveError) {
        let _ = self.0.send(Err(error));
    }
}

/// Makes a stream of a resolution. The resolution runs while the stream is polled, and is cancelled
/// with it.
pub(super) fn stream<F>(resolution: impl FnOnce(Endpoints) -> F) -> EndpointStream
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, items) = unbounded_channel();
    let running: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(resolution(Endpoints(sender)));
    Box::pin(Running { running: Some(running), items })
}

/// Makes a stream of one result.
pub(super) fn once(item: Item) -> EndpointStream {
    Box::pin(Once(Some(item)))
}

struct Once(Option<Item>);

impl Stream for Once {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        Poll::Ready(self.0.take())
    }
}

struct Running {
    running: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    items: UnboundedReceiver<Item>,
}

impl Stream for Running {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        if let Some(running) = &mut self.running
            && running.as_mut().poll(context).is_ready()
        {
            // The sender is dropped with it, so the items end.
            self.running = None;
        }
        Poll::Ready(ready!(self.items.poll_recv(context)))
    }
}
