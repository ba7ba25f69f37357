//! Virtual hosts: names, group, certificate and answer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use coalesce_site::{Host, Identity};
use http::{HeaderValue, StatusCode};
use toml::Spanned;

use crate::config::drafts::answer;
use crate::config::drafts::groups::Groups;
use crate::config::entries::model::{Profile, VirtualHostEntry};
use crate::config::entries::{Notes, Source};
use crate::config::places::{PartPlaces, Places};
use crate::config::site::{HostAnswer, TextAnswer, VirtualHost};

/// The context for reading virtual hosts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) profile: Option<Profile>,
    pub(crate) source: &'a Source,
}

/// Reads every `[[virtual_host]]`.
pub(crate) fn read(
    entries: Vec<Spanned<VirtualHostEntry>>,
    context: Context<'_>,
    groups: &mut Groups<'_>,
    places: &mut Places<'_>,
    notes: &mut Notes,
) -> Vec<Host<VirtualHost>> {
    let mut identities = BTreeMap::new();
    let mut hosts = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut entry = entry.into_inner();
        let (group, coalesce) = groups.of_host(&mut entry, places, notes);
        let host = read_one(entry, context, &mut identities, places, notes);
        let Some(host) = host.map(|host| host.group(group)) else { continue };
        hosts.push(match coalesce {
            Some(coalesce) => host.coalesce(coalesce),
            None => host,
        });
    }
    hosts
}

fn read_one(
    entry: VirtualHostEntry,
    context: Context<'_>,
    identities: &mut BTreeMap<(PathBuf, PathBuf), Identity>,
    places: &mut Places<'_>,
    notes: &mut Notes,
) -> Option<Host<VirtualHost>> {
    let Context { profile, source } = context;
    let (label, at) = (entry.name.get_ref().clone(), entry.name.span());
    let twice = places.host_line(&label);
    if let Some(line) = twice {
        notes.faults.add(at.clone(), format!("already the name of the one in line {line}"));
    }
    let answer = answer::read(&entry.answer, source.folder(), &mut notes.faults);
    if entry.names.get_ref().is_empty() {
        notes.faults.add(entry.names.span(), "no name; at least one expected");
    }
    let path = source.folder().join(entry.certificate.get_ref());
    let key = source.folder().join(entry.key.get_ref());
    let mut place = PartPlaces::new(at);
    place.add("certificate", Some(entry.certificate.span()));
    place.add("key", Some(entry.key.span()));
    place.add("group", entry.group.as_ref().map(Spanned::span));
    let mut names = entry.names.into_inner();
    if profile == Some(Profile::GatewayApi) {
        names.iter_mut().for_each(any_depth);
    }
    for name in &names {
        place.add_item("name", name.get_ref().clone(), name.span());
    }
    if twice.is_none() {
        places.add_host(label.clone(), place, path.clone());
    }
    let identity = identities
        .entry((path.clone(), key.clone()))
        .or_insert_with(|| Identity::from_pem_files(path.clone(), key));
    let lines = names.iter().map(|name| source.line_number(name.span().start)).collect();
    // A missing answer has been reported, so the site is not built.
    let answer = answer.unwrap_or_else(no_answer);
    let value = VirtualHost { lines, certificate: path, answer };
    let mut names = names.into_iter().map(Spanned::into_inner);
    let host = Host::new(names.next()?, identity.clone(), value).label(label);
    Some(names.fold(host, Host::name))
}

fn no_answer() -> HostAnswer {
    HostAnswer::Text(TextAnswer {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        content_type: HeaderValue::from_static("text/plain"),
        body: Bytes::new(),
    })
}

/// Rewrites the `*.` of a name to any depth, as the Gateway API means it.
fn any_depth(name: &mut Spanned<String>) {
    if name.get_ref().starts_with("*.") {
        name.get_mut().insert(0, '*');
    }
}
