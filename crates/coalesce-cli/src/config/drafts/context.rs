//! What every entry is read with.

use crate::config::carried::Carried;
use crate::config::drafts::listeners::ListenerDraft;
use crate::config::entries::Source;
use crate::config::entries::model::Profile;

/// What every part of a configuration is read with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) profile: Option<Profile>,
    pub(crate) listeners: &'a [ListenerDraft],
    pub(crate) source: &'a Source,
    pub(crate) carried: &'a Carried,
}
