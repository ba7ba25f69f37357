//! A validated site before its tables are built: the one list of listeners, groups and hosts from
//! which every table is made.

mod groups;
mod hosts;
mod listeners;
mod model;
mod read;

pub use model::SiteGroup;
pub(crate) use model::{
    CompiledTable, HostDraft, NAME, Plan, PlannedHost, PlannedListener, group_id, subject,
    virtual_host_id,
};
