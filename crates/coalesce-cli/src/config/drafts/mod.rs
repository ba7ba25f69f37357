//! What each entry means, one kind after the other; and all of them together, not yet checked.

mod answer;
mod certificates;
mod groups;
mod hosts;
mod listeners;
mod site;
mod tls_policy;

pub(super) use certificates::{Certificate, Certificates};
pub(super) use groups::{GroupDraft, Groups};
pub(super) use hosts::{HostDraft, read as read_hosts};
pub(super) use listeners::{Context, ListenerDraft, address, read as read_listeners};
pub(super) use site::SiteDraft;
