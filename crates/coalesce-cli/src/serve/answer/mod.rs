//! What served requests are answered with.

mod body;
mod folder;
mod forward;
mod text;
mod upstream;

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use coalesce_core::{Authoritative, Site as ServedAs};
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::DATE;
use http::{HeaderMap, Request, Response, StatusCode};

use crate::config::{Answer, Site};
use crate::serve::connection::Client;
use crate::serve::date;
use folder::Folder;
use text::Text;
use upstream::Upstream;

/// The answer of every virtual host, by its number.
#[derive(Debug)]
pub(super) struct Answers {
    hosts: Vec<Responder>,
    not_found: Text,
    not_implemented: Text,
}

#[derive(Debug)]
enum Responder {
    Text(Text),
    Folder(Arc<Folder>),
    Upstream(Arc<Upstream>),
}

/// An answer that takes its time.
type Later = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Answers {
    pub(super) fn new(site: &Site) -> Self {
        let responder = |answer: &Answer| match answer {
            Answer::Text(text) => Responder::Text(Text::new(text)),
            Answer::Folder(path) => Responder::Folder(Arc::new(Folder::new(path))),
            Answer::Upstream(upstream) => Responder::Upstream(Arc::new(Upstream::new(upstream))),
        };
        Self {
            hosts: site.virtual_hosts().iter().map(|host| responder(&host.answer)).collect(),
            not_found: Text::error(StatusCode::NOT_FOUND),
            not_implemented: Text::error(StatusCode::NOT_IMPLEMENTED),
        }
    }

    /// Answers a request that may be served; what cannot be done at once is returned.
    pub(super) fn answer(
        &self,
        request: Request<RecvStream>,
        respond: SendResponse<Bytes>,
        proof: &Authoritative,
        client: &Arc<Client>,
    ) -> Option<Later> {
        let responder = match proof.site() {
            ServedAs::VirtualHost(id) => self.hosts.get(id.get() as usize),
            ServedAs::Unlisted => None,
            ServedAs::Tunnel => {
                self.not_implemented.send(request.method(), respond);
                return None;
            }
        };
        match responder {
            Some(Responder::Text(text)) => {
                text.send(request.method(), respond);
                None
            }
            Some(Responder::Folder(folder)) => {
                let (folder, client) = (folder.clone(), client.clone());
                Some(Box::pin(async move {
                    folder.send(request, respond).await;
                    drop(client);
                }))
            }
            Some(Responder::Upstream(upstream)) => {
                let (upstream, client) = (upstream.clone(), client.clone());
                Some(Box::pin(async move { upstream.send(request, respond, &client).await }))
            }
            None => {
                self.not_found.send(request.method(), respond);
                None
            }
        }
    }
}

/// A response head with these parts and, unless there is one, a date.
fn head(status: StatusCode, mut fields: HeaderMap) -> Response<()> {
    fields.entry(DATE).or_insert_with(date::now);
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    response
}
