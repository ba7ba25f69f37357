//! What each entry means, one kind after the other.

mod answer;
mod groups;
mod hosts;
mod listeners;
mod tls_policy;

pub(crate) use answer::check_folder;
pub(super) use groups::Groups;
pub(super) use hosts::{Context, read as read_hosts};
pub(super) use listeners::{address, read as read_listeners};
