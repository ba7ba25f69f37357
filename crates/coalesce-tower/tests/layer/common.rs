//! A table, facts, and servers that say what they were given.

use std::sync::{Arc, RwLock};

use bytes::Bytes;
use coalesce_core::{
    Authoritative, AuthorityTable, ClientCertificates, ConnectPolicy, GroupId, GroupPolicy,
    IdentifierSet, NamePattern, PresentedIdentifier, Verdict, VirtualHostId,
};
use coalesce_tower::{CoalesceLayer, ConnectionInfo, Decide, Undecided};
use http::{Request, Response};
use http_body_util::Full;

pub(crate) const PUBLIC: GroupId = GroupId::new(1);
pub(crate) const STAFF: GroupId = GroupId::new(2);
pub(crate) const CHAT: GroupId = GroupId::new(3);

pub(crate) const CONTENT_421: &str = r#"{"error":"misdirected_request"}"#;

/// Hosts 0 and up: api, b and chat are in the certificate of [`tls`], cdn is not; staff is in it
/// and in another group.
pub(crate) fn table() -> AuthorityTable<Vec<u8>> {
    table_of(&["api.test", "b.test", "cdn.test", "staff.test", "chat.test"])
}

pub(crate) fn table_of(names: &[&str]) -> AuthorityTable<Vec<u8>> {
    let mut table = AuthorityTable::builder();
    let mut chat = GroupPolicy::default();
    chat.connect = ConnectPolicy::Extended;
    table.group(PUBLIC, GroupPolicy::default()).unwrap();
    table.group(STAFF, GroupPolicy::default()).unwrap();
    table.group(CHAT, chat).unwrap();
    for (id, name) in (0..).zip(names) {
        let group = match *name {
            "staff.test" => STAFF,
            "chat.test" => CHAT,
            _ => PUBLIC,
        };
        let pattern = NamePattern::parse(name.as_bytes()).unwrap();
        table.entry(pattern, VirtualHostId::new(id), group).unwrap();
    }
    table.build().unwrap()
}

/// A connection over TLS.
pub(crate) fn tls(group: GroupId) -> ConnectionInfo {
    let names = ["api.test", "b.test", "staff.test", "chat.test"];
    let names = names.map(|name| PresentedIdentifier::parse_dns(name.as_bytes()).unwrap());
    let presented = IdentifierSet::build(names).unwrap();
    ConnectionInfo::tls(Arc::new(presented), None, group, ClientCertificates::NotAsked, [443])
}

pub(crate) type Live = Arc<RwLock<Arc<AuthorityTable<Vec<u8>>>>>;

/// A layer that reads `live` for every request.
pub(crate) fn layer_over(
    live: &Live,
) -> CoalesceLayer<impl for<'a> Decide<Undecided<'a>> + Clone + use<>> {
    let live = live.clone();
    CoalesceLayer::new(move |request: &Undecided<'_>| -> Verdict {
        request.decide(&**live.read().unwrap())
    })
}

pub(crate) fn layer() -> CoalesceLayer<Arc<AuthorityTable<Vec<u8>>>> {
    CoalesceLayer::new(Arc::new(table()))
}

/// The application: says what it was given.
pub(crate) fn echo<B>(request: &Request<B>, proof: &Authoritative) -> Response<Full<Bytes>> {
    let host = request.headers().get("host").map_or("-", |value| value.to_str().unwrap());
    let text = format!("{:?} {} host={host}\n", proof.served_as(), request.uri().path());
    Response::new(Full::new(Bytes::from(text)))
}
