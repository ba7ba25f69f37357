//! Chooses the answer to a served request.

use std::pin::Pin;
use std::sync::Arc;

use coalesce_core::{Authoritative, ServedAs};
use h2::RecvStream;
use http::{Request, StatusCode};
use tokio::time::timeout;

use crate::config::{HostAnswer, Site, UpstreamTarget};
use crate::serve::answer::folder::Folder;
use crate::serve::answer::reply::{Peer, Reply};
use crate::serve::answer::text::Text;
use crate::serve::answer::upstream::Upstream;
use crate::serve::descriptors::Descriptors;
use crate::serve::limits::{DISCARD_PAUSE, DISCARD_TIMEOUT};

/// The answer of every virtual host, by its number.
#[derive(Debug)]
pub(in crate::serve) struct Answers {
    hosts: Vec<Responder>,
    descriptors: Descriptors,
    not_found: Arc<Text>,
    not_implemented: Arc<Text>,
}

#[derive(Debug)]
enum Responder {
    Text(Arc<Text>),
    Folder(Arc<Folder>),
    Upstream(UpstreamTarget, Arc<Upstream>),
}

/// The rest of an answer that cannot be completed at once.
type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Answers {
    /// Makes the answers of `site`. Keeps the connections to upstreams that `earlier` has.
    pub(in crate::serve) fn new(site: &Site, earlier: Option<&Self>) -> Self {
        let descriptors =
            earlier.map_or_else(Descriptors::from_limit, |earlier| earlier.descriptors.clone());
        let responder = |answer: &HostAnswer| match answer {
            HostAnswer::Text(text) => Responder::Text(Arc::new(Text::new(text))),
            HostAnswer::Folder(path) => {
                Responder::Folder(Arc::new(Folder::new(path, &descriptors)))
            }
            HostAnswer::Upstream(target) => {
                let known = earlier.and_then(|earlier| earlier.upstream(target));
                let upstream =
                    known.unwrap_or_else(|| Arc::new(Upstream::new(target, &descriptors)));
                Responder::Upstream(target.clone(), upstream)
            }
        };
        Self {
            hosts: site.hosts().iter().map(|host| responder(&host.answer)).collect(),
            descriptors,
            not_found: Arc::new(Text::error(StatusCode::NOT_FOUND)),
            not_implemented: Arc::new(Text::error(StatusCode::NOT_IMPLEMENTED)),
        }
    }

    pub(in crate::serve) const fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }

    fn upstream(&self, wanted: &UpstreamTarget) -> Option<Arc<Upstream>> {
        self.hosts.iter().find_map(|responder| match responder {
            Responder::Upstream(target, upstream) if target == wanted => Some(upstream.clone()),
            _ => None,
        })
    }

    /// Answers a request that may be served; returns the rest of the work if there is any.
    pub(in crate::serve) fn answer(
        &self,
        request: Request<RecvStream>,
        reply: Reply,
        proof: &Authoritative,
        peer: &Arc<Peer>,
    ) -> Option<Later> {
        let responder = match proof.served_as() {
            ServedAs::VirtualHost(id) => self.hosts.get(id.get() as usize),
            ServedAs::Unlisted => None,
            ServedAs::Tunnel => {
                return answer_text(&self.not_implemented, request, reply, peer);
            }
        };
        match responder {
            Some(Responder::Text(text)) => answer_text(text, request, reply, peer),
            Some(Responder::Folder(folder)) => {
                let (folder, peer) = (folder.clone(), peer.clone());
                Some(Box::pin(async move {
                    let (parts, body) = request.into_parts();
                    discard(body).await;
                    folder.send(Request::from_parts(parts, ()), reply, peer.client).await;
                    drop(peer);
                }))
            }
            Some(Responder::Upstream(_, upstream)) => {
                let (upstream, peer) = (upstream.clone(), peer.clone());
                Some(Box::pin(async move { upstream.send(request, reply, &peer).await }))
            }
            None => answer_text(&self.not_found, request, reply, peer),
        }
    }
}

/// Answers at once, unless a request body is still arriving.
fn answer_text(
    text: &Arc<Text>,
    request: Request<RecvStream>,
    reply: Reply,
    peer: &Arc<Peer>,
) -> Option<Later> {
    if request.body().is_end_stream() {
        text.send(request.method(), reply);
        return None;
    }
    let (text, peer) = (text.clone(), peer.clone());
    Some(Box::pin(async move {
        let (parts, body) = request.into_parts();
        discard(body).await;
        text.send(&parts.method, reply);
        drop(peer);
    }))
}

/// Reads a request body that the answer does not need. RFC 9113 §8.1 would allow to answer first
/// and reset the stream, but clients such as curl 7 fail on that unless the answer is an error.
/// Gives up on a body that pauses or lasts too long.
async fn discard(mut body: RecvStream) {
    let everything = async {
        while let Ok(Some(Ok(data))) = timeout(DISCARD_PAUSE, body.data()).await {
            // Fails if the stream has ended, and its window with it.
            let _ = body.flow_control().release_capacity(data.len());
        }
    };
    if timeout(DISCARD_TIMEOUT, everything).await.is_err() {
        tracing::debug!("request body takes too long; no longer read");
    }
}
