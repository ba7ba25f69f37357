//! The configuration: read and checked as a whole before anything starts.
//!
//! One direction, folder by folder: [`entries`] has the file's text as it is written, [`drafts`]
//! what each entry means, [`tables`] what decides requests and chooses handshakes, [`checks`] what
//! only all of it together can show. [`load`] calls them in this order and makes the [`Site`].

mod carried;
mod certificate;
mod checks;
mod drafts;
mod entries;
pub(crate) mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod load;
mod site;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use carried::Carried;
pub(crate) use certificate::{Coverage, crypto_provider};
pub(crate) use checks::example_request;
#[cfg(test)]
pub(crate) use entries::model;
pub(crate) use entries::{ConfigErrors, files_named};
pub(crate) use site::{
    Group, HostAnswer, Listener, Overlap, Place, Site, TextAnswer, UpstreamProtocol,
    UpstreamTarget, VirtualHost, group_id, virtual_host_id,
};
