//! The configuration: read and checked as a whole before the server starts.
//!
//! The data flows in one direction: [`entries`] holds the file's text as written, [`drafts`] the
//! meaning of each entry, and [`places`] the place of each part of the site in the file. [`load`]
//! passes the drafts to the builder of `coalesce-site`, which checks them as a whole, and reports
//! the place of each fault.

mod drafts;
mod entries;
pub(crate) mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod load;
mod places;
mod site;

pub(crate) use drafts::check_folder;
#[cfg(test)]
pub(crate) use entries::model;
pub(crate) use entries::model::ForwardedCertificate;
pub(crate) use entries::{ConfigErrors, Finding, files_named};
pub(crate) use load::Overrides;
pub(crate) use places::not_covered;
#[cfg(test)]
pub(crate) use site::crypto_provider;
pub(crate) use site::{
    AdminSettings, Configuration, HostAnswer, Site, TextAnswer, UpstreamProtocol, UpstreamTarget,
    VirtualHost,
};
