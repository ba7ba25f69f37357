//! Converts each entry of the file, one module for each kind.

mod admin;
mod answer;
mod groups;
mod hosts;
mod listeners;
mod tls_policy;

pub(super) use admin::read as read_admin;
pub(crate) use answer::check_folder;
pub(super) use groups::Groups;
pub(super) use hosts::{Context, read as read_hosts};
pub(super) use listeners::read as read_listeners;
