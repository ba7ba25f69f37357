//! The configuration: read and checked as a whole before anything starts.
//!
//! One direction: [`entries`] has the file's text as it is written, [`drafts`] what each entry
//! means, [`places`] where each part of the site is in the file. [`load`] hands the drafts to the
//! builder of `coalesce-site`, which checks them as a whole, and says of each fault where it is.

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
pub(crate) use entries::{ConfigErrors, files_named};
pub(crate) use load::Overrides;
pub(crate) use places::not_covered;
#[cfg(test)]
pub(crate) use site::crypto_provider;
pub(crate) use site::{
    AdminSettings, Configuration, HostAnswer, Site, TextAnswer, UpstreamProtocol, UpstreamTarget,
    VirtualHost,
};
