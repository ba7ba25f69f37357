//! What served requests are answered with.

mod body;
mod folder;
mod forward;
mod h2c;
mod reply;
mod text;
mod upstream;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{Authoritative, ServedAs};
use h2::RecvStream;
use http::header::DATE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::time::timeout;

use crate::config::{HostAnswer, Site, UpstreamTarget};
use crate::serve::connection::Client;
use crate::serve::limits::{DISCARD_PAUSE, DISCARD_TIMEOUT};
use folder::Folder;
pub(super) use reply::Reply;
use text::Text;
use upstream::Upstream;

/// The answer of every virtual host, by its number.
#[derive(Debug)]
pub(super) struct Answers {
    hosts: Vec<Responder>,
    not_found: Arc<Text>,
    not_implemented: Arc<Text>,
}

#[derive(Debug)]
enum Responder {
    Text(Arc<Text>),
    Folder(Arc<Folder>),
    Upstream(UpstreamTarget, Arc<Upstream>),
}

/// An answer that takes its time.
type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Answers {
    /// The answers of `site`. Connections to upstreams that `earlier` has are kept.
    pub(super) fn new(site: &Site, earlier: Option<&Self>) -> Self {
        let responder = |answer: &HostAnswer| match answer {
            HostAnswer::Text(text) => Responder::Text(Arc::new(Text::new(text))),
            HostAnswer::Folder(path) => Responder::Folder(Arc::new(Folder::new(path))),
            HostAnswer::Upstream(target) => {
                let known = earlier.and_then(|earlier| earlier.upstream(target));
                let upstream = known.unwrap_or_else(|| Arc::new(Upstream::new(target)));
                Responder::Upstream(target.clone(), upstream)
            }
        };
        Self {
            hosts: site.virtual_hosts().iter().map(|host| responder(&host.answer)).collect(),
            not_found: Arc::new(Text::error(StatusCode::NOT_FOUND)),
            not_implemented: Arc::new(Text::error(StatusCode::NOT_IMPLEMENTED)),
        }
    }

    fn upstream(&self, wanted: &UpstreamTarget) -> Option<Arc<Upstream>> {
        self.hosts.iter().find_map(|responder| match responder {
            Responder::Upstream(target, upstream) if target == wanted => Some(upstream.clone()),
            _ => None,
        })
    }

    /// Answers a request that may be served; what cannot be done at once is returned.
    pub(super) fn answer(
        &self,
        request: Request<RecvStream>,
        reply: Reply,
        proof: &Authoritative,
        client: &Arc<Client>,
    ) -> Option<Later> {
        let responder = match proof.served_as() {
            ServedAs::VirtualHost(id) => self.hosts.get(id.get() as usize),
            ServedAs::Unlisted => None,
            ServedAs::Tunnel => {
                return answer_text(&self.not_implemented, request, reply, client);
            }
        };
        match responder {
            Some(Responder::Text(text)) => answer_text(text, request, reply, client),
            Some(Responder::Folder(folder)) => {
                let (folder, client) = (folder.clone(), client.clone());
                Some(Box::pin(async move {
                    let (parts, body) = request.into_parts();
                    discard(body).await;
                    folder.send(Request::from_parts(parts, ()), reply).await;
                    drop(client);
                }))
            }
            Some(Responder::Upstream(_, upstream)) => {
                let (upstream, client) = (upstream.clone(), client.clone());
                Some(Box::pin(async move { upstream.send(request, reply, &client).await }))
            }
            None => answer_text(&self.not_found, request, reply, client),
        }
    }
}

/// Answers at once, unless a request body is still coming.
fn answer_text(
    text: &Arc<Text>,
    request: Request<RecvStream>,
    reply: Reply,
    client: &Arc<Client>,
) -> Option<Later> {
    if request.body().is_end_stream() {
        text.send(request.method(), reply);
        return None;
    }
    let (text, client) = (text.clone(), client.clone());
    Some(Box::pin(async move {
        let (parts, body) = request.into_parts();
        discard(body).await;
        text.send(&parts.method, reply);
        drop(client);
    }))
}

/// Reads a request body that nobody wants. To answer first and reset the stream would be allowed
/// (RFC 9113 §8.1), but clients such as curl 7 fail on that when the answer is no error. A body
/// that pauses or goes on for too long is not waited for.
async fn discard(mut body: RecvStream) {
    let everything = async {
        while let Ok(Some(Ok(data))) = timeout(DISCARD_PAUSE, body.data()).await {
            // The stream may have ended in the meantime; then there is no window to give back.
            let _ = body.flow_control().release_capacity(data.len());
        }
    };
    if timeout(DISCARD_TIMEOUT, everything).await.is_err() {
        tracing::debug!("request body takes too long; no longer read");
    }
}

/// Sends an answer whose content comes piece by piece.
async fn send_streaming<B>(answer: Response<B>, reply: Reply, method: &Method)
where
    B: Body<Data = Bytes>,
    B::Error: fmt::Display,
{
    let (parts, content) = answer.into_parts();
    let status = parts.status;
    let no_content = *method == Method::HEAD || content.is_end_stream();
    let Ok(mut sending) = reply.begin(head(status, parts.headers), no_content) else { return };
    if !no_content && let Err(error) = body::send(&mut sending, content).await {
        tracing::debug!(%error, "answer broken off");
        return;
    }
    tracing::debug!(status = status.as_u16(), %method, "answered");
}

/// A response head with these parts and, unless there is one, a date.
fn head(status: StatusCode, mut fields: HeaderMap) -> Response<()> {
    fields.entry(DATE).or_insert_with(coalesce_h2::date);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
