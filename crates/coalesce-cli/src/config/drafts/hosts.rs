//! Virtual hosts: names, group, certificate and answer.

use coalesce_core::{CoalescePolicy, NamePattern};
use toml::Spanned;

use crate::config::certificate::Coverage;
use crate::config::drafts::answer;
use crate::config::drafts::certificates::{Certificate, Certificates};
use crate::config::drafts::groups::Groups;
use crate::config::drafts::listeners::Context;
use crate::config::entries::Notes;
use crate::config::entries::model::{Profile, VirtualHostEntry};
use crate::config::site::HostAnswer;

/// A virtual host on its way into the site.
#[derive(Debug)]
pub(crate) struct HostDraft {
    pub(crate) name: Spanned<String>,
    pub(crate) names: Vec<Spanned<String>>,
    /// By number; `None` where that was a fault.
    pub(crate) group: Option<usize>,
    /// How strict its names are, if its group says otherwise.
    pub(crate) coalesce: Option<CoalescePolicy>,
    pub(crate) certificate: Option<usize>,
    pub(crate) answer: Option<HostAnswer>,
}

/// Reads every `[[virtual_host]]`.
pub(crate) fn read(
    entries: Vec<Spanned<VirtualHostEntry>>,
    groups: &mut Groups<'_>,
    certificates: &mut Certificates,
    context: Context<'_>,
    notes: &mut Notes,
) -> Vec<HostDraft> {
    let source = context.source;
    let mut drafts: Vec<HostDraft> = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut entry = entry.into_inner();
        let same = |earlier: &&HostDraft| earlier.name.get_ref() == entry.name.get_ref();
        if let Some(earlier) = drafts.iter().find(same) {
            let line = source.line_number(earlier.name.span().start);
            let message = format!("already the name of the one in line {line}");
            notes.faults.add(entry.name.span(), message);
        }
        let (group, coalesce) = groups.of_host(&mut entry, notes).unzip();
        let certificate = certificates.read(&entry, source, notes);
        let answer = answer::read(&entry.answer, source.folder(), &mut notes.faults);
        if entry.names.get_ref().is_empty() {
            notes.faults.add(entry.names.span(), "no name; at least one expected");
        }
        let shown = certificate.and_then(|number| certificates.read.get(number));
        let mut names = entry.names.into_inner();
        if context.profile == Some(Profile::GatewayApi) {
            names.iter_mut().for_each(any_depth);
        }
        for name in &names {
            check_name(name, shown, notes);
        }
        drafts.push(HostDraft {
            name: entry.name,
            names,
            group,
            coalesce: coalesce.flatten(),
            certificate,
            answer,
        });
    }
    drafts
}

/// Takes the `*.` of a name as the Gateway API does, for any depth.
fn any_depth(name: &mut Spanned<String>) {
    if name.get_ref().starts_with("*.") {
        name.get_mut().insert(0, '*');
    }
}

/// Checks one of a virtual host's names: that it is a name, and that the virtual host's own
/// certificate covers it. One that is not covered would be answered 421 on the very connection
/// that was made for it.
fn check_name(name: &Spanned<String>, certificate: Option<&Certificate>, notes: &mut Notes) {
    let text = name.get_ref().as_str();
    let pattern = NamePattern::parse(text.as_bytes());
    let Some(pattern) = notes.faults.take(name.span(), pattern) else { return };
    let Some(certificate) = certificate else { return };
    match certificate.shown.covers(&pattern, &text) {
        Ok(Coverage::Whole) => {}
        Ok(Coverage::OpenEnded) => notes.warnings.add(
            name.span(),
            format!(
                "{text:?} stands for more names than a certificate can cover; those that it does \
                 not cover are answered 421 on every connection"
            ),
        ),
        Err(not_covered) => notes.faults.add(name.span(), not_covered),
    }
}
